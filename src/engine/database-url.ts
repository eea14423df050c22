/** SQLAlchemy's database URLs, as TypeORM's options; a URL's text never reaches a message, for it holds the password. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { DataSourceOptions } from 'typeorm';
import { InvalidOptionError } from '../errors.js';
import { ownFile } from './own-file.js';

interface UrlParts {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** What follows the first slash after the host. */
  readonly path: string;
}

type QueryKeys = Readonly<Record<string, (value: string, name: string) => object>>;

const seconds = (value: string, name: string): number => {
  if (!/^[1-9]\d{0,5}$/.test(value))
    throw new InvalidOptionError(`${name} must be a whole number of seconds.`);
  return Number(value) * 1000;
};

const MYSQL_KEYS: QueryKeys = {
  charset: (charset) => ({ charset }),
  timezone: (timezone) => ({ timezone }),
  unix_socket: (socketPath) => ({ socketPath }),
  connect_timeout: (value, name) => ({ connectTimeout: seconds(value, name) }),
};

const POSTGRES_KEYS: QueryKeys = {
  host: (host) => ({ host }),
  application_name: (applicationName) => ({ applicationName }),
  connect_timeout: (value, name) => ({ connectTimeoutMS: seconds(value, name) }),
  sslmode: (value, name) => {
    const modes: Record<string, object> = {
      disable: { ssl: false },
      require: { ssl: { rejectUnauthorized: false } },
      'verify-full': { ssl: { rejectUnauthorized: true } },
    };
    const mode = Object.hasOwn(modes, value) ? modes[value] : undefined;
    if (mode === undefined)
      throw new InvalidOptionError(`${name} must be one of ${Object.keys(modes).join(', ')}.`);
    return mode;
  },
};

type Dialect = (parts: UrlParts, query: URLSearchParams) => DataSourceOptions;

const DIALECTS: Readonly<Record<string, Dialect>> = {
  mysql: server('mysql', MYSQL_KEYS),
  'mysql+mysql2': server('mysql', MYSQL_KEYS),
  mariadb: server('mariadb', MYSQL_KEYS),
  'mariadb+mysql2': server('mariadb', MYSQL_KEYS),
  postgres: server('postgres', POSTGRES_KEYS),
  postgresql: server('postgres', POSTGRES_KEYS),
  'postgresql+pg': server('postgres', POSTGRES_KEYS),
  sqlite: (parts, query) => file(isInstalled('better-sqlite3') ? 'better-sqlite3' : 'sqljs')(parts, query),
  'sqlite+better-sqlite3': file('better-sqlite3'),
  'sqlite+sqljs': file('sqljs'),
};

/**
 * Reads a URL such as `mysql+mysql2://user:pw@host:3306/db?charset=utf8mb4`, `postgresql://…`, `sqlite:///file` or
 * `sqlite:///:memory:`.
 *
 * @throws {@link InvalidOptionError} `SS_ERR_INVALID_OPTION` for another dialect, a broken part or an unknown query key
 */
export function dataSourceOptionsFromUrl(url: string): DataSourceOptions {
  const [, scheme, userInfo, host, port, path = '', query = ''] =
    /^([a-z][a-z0-9+-]*):\/\/(?:([^@/]*)@)?(\[[^\]]*\]|[^:/?]*)(?::([^/?]*))?(?:\/([^?]*))?(?:\?(.*))?$/is.exec(
      url,
    ) ?? [];
  const dialect = scheme !== undefined && Object.hasOwn(DIALECTS, scheme) ? DIALECTS[scheme] : undefined;
  if (dialect === undefined) {
    const known = Object.keys(DIALECTS).join(', ');
    throw new InvalidOptionError(
      `A database URL looks like mysql+mysql2://user:password@host:3306/database; it must begin with one of ${known}.`,
    );
  }
  if (!scheme?.startsWith('sqlite')) refuseStrayAt(userInfo === undefined ? url : `${host}${path}`, query);
  const [username, password] = splitUserInfo(userInfo);
  const parts: UrlParts = {
    host: host === undefined || host === '' ? undefined : decode(host.replace(/^\[|\]$/g, ''), 'host'),
    port: port === undefined ? undefined : portNumber(port),
    username,
    password,
    path: decode(path, 'database'),
  };
  return dialect(parts, new URLSearchParams(query));
}

/** A password with an @ or / that is not encoded would be cut there, and its rest taken for a host, database or key. */
function refuseStrayAt(afterUser: string, query: string): void {
  const keys = [...new URLSearchParams(query).keys()].join('');
  if (!`${afterUser}${keys}`.includes('@')) return;
  throw new InvalidOptionError(
    'The database URL has an @ in the wrong place: in its user and password write @ as %40 and / as %2F.',
  );
}

function server(type: 'mysql' | 'mariadb' | 'postgres', keys: QueryKeys): Dialect {
  return ({ host, port, username, password, path }, query) => {
    if (path === '')
      throw new InvalidOptionError(`The ${type} URL names no database: add it after the host.`);
    const given = { host: host ?? 'localhost', port, username, password, database: path };
    const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    return { type, ...set, ...readQuery(type, query, keys) };
  };
}

function file(type: 'better-sqlite3' | 'sqljs'): Dialect {
  return ({ host, port, username, path }, query) => {
    if (host !== undefined || port !== undefined || username !== undefined) {
      throw new InvalidOptionError('A SQLite URL has three slashes before the file: sqlite:///data.db.');
    }
    readQuery(type, query, {});
    const isMemory = path === '' || path === ':memory:';
    if (type === 'better-sqlite3') return { type, database: isMemory ? ':memory:' : path };
    return isMemory ? { type } : { type, location: path, autoSave: true };
  };
}

function readQuery(type: string, query: URLSearchParams, keys: QueryKeys): object {
  const known = Object.keys(keys).join(', ') || 'none';
  const read: object[] = [];
  for (const key of new Set(query.keys())) {
    const rule = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (rule === undefined) {
      throw new InvalidOptionError(`A ${type} URL knows no query key "${key}". It knows: ${known}.`);
    }
    const [value = '', ...more] = query.getAll(key);
    if (more.length > 0)
      throw new InvalidOptionError(`The query key "${key}" of the database URL is given twice.`);
    read.push(rule(value, `The query key "${key}" of the database URL`));
  }
  return Object.assign({}, ...read) as object;
}

function splitUserInfo(userInfo: string | undefined): [string | undefined, string | undefined] {
  if (userInfo === undefined) return [undefined, undefined];
  const [username = '', ...password] = userInfo.split(':');
  return [
    decode(username, 'user'),
    password.length === 0 ? undefined : decode(password.join(':'), 'password'),
  ];
}

function portNumber(port: string): number {
  const value = Number(port);
  if (!/^\d+$/.test(port) || value < 1 || value > 65535) {
    throw new InvalidOptionError('The port of the database URL must be a number from 1 to 65535.');
  }
  return value;
}

function decode(part: string, name: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new InvalidOptionError(
      `The ${name} of the database URL is not percent-encoded: write % as %25, @ as %40, / as %2F.`,
    );
  }
}

function isInstalled(packageName: string): boolean {
  try {
    createRequire(ownFile() ?? join(process.cwd(), 'index.js')).resolve(packageName);
    return true;
  } catch {
    return false;
  }
}
