/** `npm run test:soak`: a million units of work and what they leave behind; a few minutes, and not part of `npm test`. */
import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/soak/**/*.spec.ts'],
    exclude: [],
    fileParallelism: false,
    testTimeout: 600_000,
    // Figures are printed as they are.
    disableConsoleIntercept: true,
  },
});
