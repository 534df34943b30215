/** The code of every problem that this room finds, and what it means; documentation and tests read it. */
export const settingProblems = {
  SETTING_INVALID: 'A value has the wrong type or is out of range; the safe default is used.',
  SETTING_UNKNOWN: 'There is no setting of this name; it is not used.',
  SETTING_MISPLACED: 'This setting is taken from the environment only; the value in the file is not used.',
  SETTING_REPAIRED: 'A value is used after a small repair.',
  SETTING_TWICE: 'One setting is given twice, with different values; it is said which one is used.',
  SETTING_INERT: 'This setting is taken for compatibility and changes nothing.',
  SETTING_MISSPELT: 'An environment variable is nearly, but not quite, the name of a setting.',
  SETTING_ENV_TAKEN: 'A driver declares an environment name that another setting has; it can be set in a file only.',
  KUBERNETES_PORT: 'Kubernetes has set this variable for a Service; it is not meant for us and not used.',
  FILE_UNREADABLE: 'A settings or secret file cannot be read; it is not used.',
  FILE_MALFORMED: 'A settings file is not valid JSON; it is not used.',
  DECLARATION_INVALID: "A driver's declaration of a setting is wrong; that setting is left out.",
  DATA_DIR_UNUSABLE: 'A data directory cannot be used; the next one is.',
  DATA_DIR_NONE: 'None of the data directories can be used.',
} as const
