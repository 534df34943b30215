/** The events of which figures with a goal are made. */
export const figureEvents: readonly string[] = ['switchover', 'kill-agent', 'kill-both', 'shutdown', 'kill']
