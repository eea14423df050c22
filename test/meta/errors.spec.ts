/** docs/errors.md tells every error code, and of each what the code itself says. */
import type { ArgumentsHost, HttpServer } from '@nestjs/common';
import * as main from 'nestjs-scoped-session';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import * as errors from '../../src/errors.js';
import { SessionErrorFilter } from '../../src/nest/session-error.filter.js';
import { markdownFiles, nodesOf, read, sourceFiles } from './source-files.js';

const PAGE = 'docs/errors.md';
const CODE = /\bSS_ERR_[A-Z]+(?:_[A-Z]+)*\b/g;
const FACTS =
  /^Class: `(\w+)`(?: \(a `TypeError`\))? · Retryable: (yes|no) · Outcome: (?:none|`(\w+)`) · HTTP: (none|\d{3})$/m;

/** They stop the application's start, so that no HTTP client is ever told of them. */
const AT_START = [
  'SS_ERR_NO_DATA_SOURCE',
  'SS_ERR_AMBIGUOUS_DATA_SOURCE',
  'SS_ERR_CIRCULAR_DATA_SOURCE',
  'SS_ERR_UNUSABLE_DATA_SOURCE',
  'SS_ERR_DUPLICATE_SESSION_NAME',
];

type ErrorClass = new (message: string) => errors.ScopedSessionError;

const classes = Object.entries(errors as Record<string, unknown>)
  .filter(([name, value]) => typeof value === 'function' && name.endsWith('Error'))
  .filter(([, value]) => value !== errors.ScopedSessionError) as [string, ErrorClass][];
const samples = classes.map(([name, type]) => ({ name, error: new type('a sample') }));
const codes = samples.map(({ error }) => error.code);

const page = read(PAGE);
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const end = section.indexOf('\n');
      return [section.slice(0, end), section.slice(end)] as const;
    }),
);

function factsOf(code: string) {
  const [, name, retryable, outcome, status] = FACTS.exec(sections.get(code) ?? '') ?? [];
  return { name, retryable, outcome, status };
}

/** What the filter answers an HTTP client. */
function answerTo(error: errors.ScopedSessionError): { status: number; retryAfter: string | undefined } {
  let status = 0;
  let retryAfter: string | undefined;
  const response = { headersSent: false, setHeader: (_name: string, value: string) => (retryAfter = value) };
  const server = {
    isHeadersSent: () => false,
    reply: (_response: unknown, _body: unknown, given: number) => (status = given),
  };
  const host = {
    getType: () => 'http',
    getArgByIndex: () => response,
    switchToHttp: () => ({ getResponse: () => response }),
  };
  new SessionErrorFilter(server as unknown as HttpServer).catch(error, host as unknown as ArgumentsHost);
  return { status, retryAfter };
}

/** The outcomes with which the sources throw each class. */
function readOutcomesThrown(): Map<string, Set<string>> {
  const thrown = new Map<string, Set<string>>();
  for (const node of sourceFiles().flatMap(({ tree }) => [...nodesOf(tree)])) {
    if (!ts.isNewExpression(node)) continue;
    const details = node.arguments?.find(ts.isObjectLiteralExpression);
    for (const property of details?.properties ?? []) {
      if (!ts.isPropertyAssignment(property) || property.name.getText() !== 'outcome') continue;
      const name = node.expression.getText();
      if (ts.isStringLiteral(property.initializer))
        thrown.set(name, (thrown.get(name) ?? new Set()).add(property.initializer.text));
    }
  }
  return thrown;
}

const outcomesThrown = readOutcomesThrown();

describe('docs/errors.md', () => {
  it('has exactly one heading for each code, and none for a code that does not exist', () => {
    const headings = [...page.matchAll(/^#+ .*(SS_ERR_\w+).*$/gm)].map(([, code = '']) => code);
    expect(headings.toSorted()).toEqual(codes.toSorted());
    expect([...sections.keys()].toSorted()).toEqual(codes.toSorted());
  });

  it('says of each what happened, its causes and its cure', () => {
    const parts = ['**What happened.** ', '**Typical causes.** ', '**Cure.** '];
    const incomplete = codes.filter((code) => !parts.every((part) => sections.get(code)?.includes(part)));
    expect(incomplete).toEqual([]);
  });

  it.each(samples)('tells the class of $error.code, and whether to try again', ({ name, error }) => {
    expect(factsOf(error.code)).toMatchObject({ name, retryable: error.retryable ? 'yes' : 'no' });
  });

  it.each(samples)('tells the status that a client gets for $error.code', ({ error }) => {
    const { status, retryAfter } = answerTo(error);
    const isAtStart = AT_START.includes(error.code);
    expect(factsOf(error.code).status).toBe(isAtStart ? 'none' : String(status));
    expect(sections.get(error.code)!.match(/`Retry-After: (\d+)`/)?.[1]).toBe(retryAfter);
  });

  it.each(samples)('tells the outcome with which $error.code is thrown', ({ name, error }) => {
    const { outcome } = factsOf(error.code);
    expect(outcome === undefined ? [] : [outcome]).toEqual([...(outcomesThrown.get(name) ?? [])]);
  });
});

describe('the error classes', () => {
  it('have each a code of their own', () => {
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes.filter((code) => !/^SS_ERR_[A-Z]+(_[A-Z]+)*$/.test(code))).toEqual([]);
  });

  it('are all exported', () => {
    const missing = [...classes, ['ScopedSessionError', errors.ScopedSessionError] as const].filter(
      ([name, type]) => (main as Record<string, unknown>)[name] !== type,
    );
    expect(missing.map(([name]) => name)).toEqual([]);
  });

  it('are what comments and documents call them', () => {
    const texts = [...sourceFiles(), ...markdownFiles().map((path) => ({ path, text: read(path) }))];
    const unknown = texts.flatMap(({ path, text }) =>
      (text.match(CODE) ?? []).filter((code) => !codes.includes(code)).map((code) => `${path}: ${code}`),
    );
    expect(unknown).toEqual([]);
  });
});
