/** The bank: starts the application and says how to try it. */
import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { Logger } from '@nestjs/common';
import { createBank } from './create-bank.js';

// Settings come from .env where there is one; see .env.example.
if (existsSync('.env')) process.loadEnvFile('.env');

const app = await createBank();
app.enableShutdownHooks();
await app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');

const url = await app.getUrl();
new Logger('Bank').log(`
The bank is open at ${url} (API page: ${url}/api). Try:

  A transfer that commits:
    curl -s -X POST ${url}/transfers -H 'Content-Type: application/json' -d '{"from":1,"to":2,"cents":2500}'

  A transfer that fails (too little money), and leaves nothing behind:
    curl -s -X POST ${url}/transfers -H 'Content-Type: application/json' -d '{"from":1,"to":2,"cents":99999999}'; curl -s ${url}/audit

  The same session in guard, service and handler:
    curl -s ${url}/whoami
`);
