/** The version of package.json, which a test compares. Not read at run time: where the file is depends on how this was built. */
export const VERSION = '0.1.0';
