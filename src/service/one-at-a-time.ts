/**
 * A task that is asked for at any rate and runs one at a time: asked while it runs, it runs once more after that, however
 * often it was asked. The task handles its own failures.
 */
export function oneAtATime(task: () => Promise<unknown>): () => void {
  let isRunning = false
  let isWanted = false
  const run = async (): Promise<void> => {
    isRunning = true
    try {
      while (isWanted) {
        isWanted = false
        await task()
      }
    } finally {
      isRunning = false
    }
  }
  return () => {
    isWanted = true
    if (!isRunning) void run()
  }
}
