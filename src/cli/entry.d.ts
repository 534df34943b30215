/** True when there is a build and nothing that it was made of is newer. */
export declare function isBuilt(): boolean
/** Imports the process (`main`) or the command line (`cli`), from the build or the sources. */
export declare function importEntry(name: 'main' | 'cli'): Promise<unknown>
