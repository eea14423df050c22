/** `npm run test:cluster`: a primary with replicas, and a Galera cluster of three, on this machine; one test file at a time. */
import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/cluster/**/*.spec.ts'],
    exclude: [],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // What is skipped for want of a program is said aloud.
    disableConsoleIntercept: true,
  },
});
