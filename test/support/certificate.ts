/** A certificate that nobody has signed but its owner, made for one test file. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { findProgram, temporaryDirectory } from './private-server.js';

export const opensslProgram = findProgram(['openssl']);

export class Certificate {
  readonly directory = temporaryDirectory();
  readonly keyFile = `${this.directory}/key.pem`;
  readonly certificateFile = `${this.directory}/certificate.pem`;

  /** @param owner - the host that it is made out to */
  constructor(owner: string) {
    const files = ['-keyout', this.keyFile, '-out', this.certificateFile];
    const kind = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', `/CN=${owner}`];
    execFileSync(opensslProgram!, [...kind, ...files], { stdio: 'pipe' });
  }

  get key(): string {
    return readFileSync(this.keyFile, 'utf8');
  }

  get text(): string {
    return readFileSync(this.certificateFile, 'utf8');
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }
}
