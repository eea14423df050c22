/** What one unit of work sets for itself: its session's options, and how it ends. */
import { flag, integer, oneOf, type Rule, type Rules } from '../engine/index.js';
import type { Scope } from '../scope/index.js';
import { SESSION_RULES, type SessionOptions } from './session-options.js';

/** When a unit of work is committed: by itself when it succeeds, or by hand only. */
export const COMMIT_MODES = ['onSuccess', 'manual'] as const;
/** `onSuccess`: committed when the work succeeds. `manual`: what was not committed by hand is rolled back. */
export type CommitMode = (typeof COMMIT_MODES)[number];

/** What TypeORM's own repositories and managers do in a scope: take part in the session, or stay outside it. */
export const REPOSITORY_MODES = ['join', 'leave'] as const;
/** `join`: TypeORM's repositories and managers take part in the session. `leave`: they stay plain TypeORM. */
export type RepositoryMode = (typeof REPOSITORY_MODES)[number];

/** Options of one unit of work, before those of its session and its database. */
export interface ScopeOptions extends Pick<
  SessionOptions,
  'isolation' | 'readOnly' | 'begin' | 'unrepeatableReads'
> {
  /** Default `onSuccess`. */
  readonly commit?: CommitMode;
  /** Default `join`. */
  readonly repositories?: RepositoryMode;
  /** Milliseconds that the unit of work may take once it uses a session, 1 and up. */
  readonly timeoutMs?: number;
}

/** Milliseconds that a client is remembered after it wrote, where nobody says otherwise. */
export const CLIENT_FOR_MS = 5_000;

export const commitMode: Rule<CommitMode> = oneOf(COMMIT_MODES);
export const repositoryMode: Rule<RepositoryMode> = oneOf(REPOSITORY_MODES);

export const SCOPE_RULES: Rules<ScopeOptions> = {
  isolation: SESSION_RULES.isolation,
  readOnly: flag,
  begin: SESSION_RULES.begin,
  unrepeatableReads: flag,
  commit: commitMode,
  repositories: repositoryMode,
  timeoutMs: integer(1),
};

/** What is set for a scope by the room that opened it. */
interface SetOptions extends ScopeOptions {
  /** Whether queries and its end store what was changed, without being told to. Default true. */
  readonly storesByItself?: boolean;
  /** Why no session may be made in it. */
  readonly refusal?: Error;
}

const NONE: SetOptions = Object.freeze({});

/** Adds options for one scope; they hold for every transaction that begins in it from now on. */
export function configureScope(scope: Scope, options: SetOptions): void {
  // Most scopes are told one thing, the same for all of them: no object is made for each.
  scope.settings = scope.settings === undefined ? options : { ...scope.settings, ...options };
}

const STORES_NOTHING: SetOptions = Object.freeze({ storesByItself: false });

/** What the work changed is stored where it says so, and not because it asks or ends. */
export function keepUnstored(scope: Scope): void {
  configureScope(scope, STORES_NOTHING);
}

export function optionsOf(scope: Scope | undefined): SetOptions {
  return scope?.settings ?? NONE;
}
