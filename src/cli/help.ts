/** What `holdfast --help` prints. */
export const help = `Usage: holdfast [command] [options]

Commands
  start       run the service (also when no command is given)
  check       say what is configured, from where, what is wrong, how to mend it;
              ends with 2 when something is not used; opens no database
              unless told to connect
  config      list every setting with its value and where it came from

Options
  --json      for programs (check, config)
  --connect   also try the primary, and say what it answers; changes nothing
              in it; ends with 3 when it cannot serve (check)
  --schema    print the JSON Schema of the settings files (config)
  --version   print the release
  --help      print this

Settings come from config/default.json, config/<NODE_ENV>.json, CONFIG_FILE, the
environment, and NAME_FILE for the path of a file that holds a secret.
`
