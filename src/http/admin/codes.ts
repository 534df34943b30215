/** What the HTTP room reports about settings and surroundings, by code. */
export const httpProblems: Readonly<Record<string, string>> = {
  ADMIN_TOKEN_UNUSABLE: 'No admin token could be read or kept: until there is one, nobody is admin.',
  ADMIN_TOKEN_READABLE: 'Other users of the machine could read the file of the admin token.',
  ADMIN_TOKEN_WEAK: 'The admin token is shorter than 16 characters: it can be guessed.',
  HOST_UNRESOLVED: 'HOST cannot be bound here: the service listens on all interfaces.',
}
