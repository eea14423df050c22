import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Tests, and the example in them, run on the sources; test/meta runs the packed tarball in processes of its own.
    alias: {
      'nestjs-scoped-session/testing': source('./src/testing/index.ts'),
      'nestjs-scoped-session': source('./src/index.ts'),
    },
  },
  test: {
    include: ['test/**/*.spec.ts'],
    exclude: ['test/cluster/**', 'test/faults/**', 'test/soak/**'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/setup.ts'],
    pool: 'forks',
    // Most of a run was the import of the same libraries, once for each file. Nothing here keeps state at module level.
    isolate: false,
    // Files wait for servers more than they compute: every core has one, instead of all but one.
    maxWorkers: '100%',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**'] },
  },
});
