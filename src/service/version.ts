/** The release; a test holds it to package.json. Not read from there: the bundle, the library and the sources lie at different depths. */
export const version: string = '0.1.0'
