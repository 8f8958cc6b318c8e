const swc = {
  jsc: {
    target: 'es2023',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    keepClassNames: true,
  },
  module: { type: 'commonjs' },
  sourceMaps: 'inline',
};
const javascript = { ...swc, jsc: { ...swc.jsc, parser: { syntax: 'ecmascript' }, transform: {} } };

// Packages that ship ES modules only; Jest runs them as CommonJS.
const esmOnly = [
  '@nestjs',
  'nestjs-pino',
  'cookie',
  'content-disposition',
  'file-type',
  'strtok3',
  'token-types',
  '@tokenizer',
  '@borewit',
  'uint8array-extras',
  '@standard-schema',
  'chokidar',
  'readdirp',
].join('|');

const shared = {
  testEnvironment: 'node',
  modulePathIgnorePatterns: [
    '<rootDir>/(dist|bench|deploy|coverage|\\.data)/',
    '<rootDir>/test/con(tainers|tract/node_modules)/',
  ],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest', swc], '^.+\\.js$': ['@swc/jest', javascript] },
  transformIgnorePatterns: [`node_modules/(?!(${esmOnly})/)`],
};

export default {
  maxWorkers: 4,
  testSequencer: '<rootDir>/test/support/long-first.js',
  // Deadlines of what is awaited are the tests' own; this one only ends a test that hangs, on a slow machine too.
  testTimeout: 120_000,
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/src/**/*.spec.ts', '<rootDir>/test/**/*.unit-spec.ts'] },
    { ...shared, displayName: 'int', testMatch: ['<rootDir>/test/**/*.int-spec.ts'] },
    { ...shared, displayName: 'e2e', testMatch: ['<rootDir>/test/**/*.e2e-spec.ts'] },
  ],
};
