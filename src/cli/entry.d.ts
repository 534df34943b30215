/** Written last by the build, so that its time is that of a whole build. */
export declare const stamp: string
/** True when there is a build and nothing that it was made of is newer. */
export declare function isBuilt(): boolean
/** Imports the process (`main`) or the command line (`cli`), from the build when it is newer than the sources. */
export declare function importEntry(name: 'main' | 'cli'): Promise<unknown>
/** The same for `npm start`: from the build, which is made first when it is older than the sources. */
export declare function importStart(name: 'main' | 'cli'): Promise<unknown>
