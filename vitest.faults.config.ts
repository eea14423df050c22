/** `npm run test:faults`: servers that are stopped, killed and set wrong, one test file at a time. */
import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

export default defineConfig({
  ...base,
  test: { ...base.test, include: ['test/faults/**/*.spec.ts'], exclude: [], fileParallelism: false },
});
