/** The public surface: exactly the names listed here, each documented, and no `any` in what their declarations say. */
import { beforeAll, describe, expect, it } from 'vitest';
import ts from 'typescript';
import * as main from 'nestjs-scoped-session';
import * as testing from 'nestjs-scoped-session/testing';
import {
  importsOf,
  nodesOf,
  parse,
  place,
  ROOT,
  type SourceFile,
  sourceFiles,
  targetOf,
} from './source-files.js';
import { optionsOf, pathOf, programOf } from './type-check.js';

/** What is there at run time. */
const VALUES = {
  'src/index.ts': [
    'ABORT_POLICIES',
    'AmbiguousDataSourceError',
    'AsyncLocalRegistry',
    'AutobeginDisabledError',
    'BEGIN_MODES',
    'BackgroundQueueFullError',
    'BackgroundTasks',
    'BindKey',
    'COMMIT_MODES',
    'CircularDataSourceError',
    'CommitOutcomeUnknownError',
    'ConflictingTransactionOptionsError',
    'ConnectionUnavailableError',
    'DATABASE_FAMILIES',
    'DbSession',
    'DetachedInstanceError',
    'DrainingError',
    'DuplicateSessionNameError',
    'Engine',
    'ExpiredPropertyError',
    'FlushError',
    'ISOLATION_LEVELS',
    'IdentityView',
    'IllegalStateChangeError',
    'InjectRepository',
    'InjectScopedSession',
    'InjectSession',
    'InvalidOptionError',
    'InvalidParameterError',
    'InvalidScopeTokenError',
    'MODEL_OPERATIONS',
    'MultipleResultsFoundError',
    'NestedTransaction',
    'NoActiveScopeError',
    'NoDataSourceError',
    'NoResultFoundError',
    'NotFoundError',
    'OBJECT_STATES',
    'OUTCOMES',
    'ObjectDeletedError',
    'ObjectStateError',
    'PRE_PING_MODES',
    'PROPAGATIONS',
    'Pagination',
    'PartialCommitError',
    'PendingRollbackError',
    'PoolTimeoutError',
    'PropagationError',
    'REPOSITORY_MODES',
    'RESET_MODES',
    'ROW_LOCKS',
    'RawConnection',
    'RecordedQuery',
    'RolledBackError',
    'SQLITE_CONNECTIONS',
    'SUPPORTED_DRIVERS',
    'ScopeAbortedError',
    'ScopeTimeoutError',
    'ScopedRegistry',
    'ScopedSession',
    'ScopedSessionError',
    'ScopedSessionModule',
    'SelfDeadlockError',
    'Session',
    'SessionAlreadyPresentError',
    'SessionBase',
    'SessionClosedError',
    'SessionErrorFilter',
    'SessionFactory',
    'SessionInterceptor',
    'SessionOptions',
    'SessionScope',
    'StaleDataError',
    'StatementResult',
    'StatementTimeoutError',
    'TASK_OUTCOMES',
    'TransactionClosedError',
    'Transactional',
    'UNIT_OF_WORK_MODES',
    'UnboundSessionError',
    'UnexpectedRollbackError',
    'UnfinishedWorkError',
    'UnmappedInstanceError',
    'UnsupportedContextError',
    'UnusableDataSourceError',
    'createEngine',
    'currentScope',
    'dataSourceOptionsFromEnv',
    'getScopedSessionToken',
    'getSessionToken',
    'isRetryable',
    'recoverTwoPhase',
    'runInScope',
    'scopedDataSource',
    'scopedSession',
    'sessionFactory',
  ],
  'src/testing/index.ts': ['FAKE_EVENTS', 'fakeSession', 'useSession', 'withSession'],
} as const;

/** What is there for the compiler only. */
const TYPES = {
  'src/index.ts': [
    'AbortPolicy',
    'BackgroundTask',
    'BackgroundTasksOptions',
    'BeginMode',
    'BeginOptions',
    'BindOptions',
    'BindTarget',
    'BindsOption',
    'BulkInsertOptions',
    'BulkSaveOptions',
    'CommitMode',
    'CommittedInPart',
    'DatabaseFamily',
    'DecoratableMethod',
    'EngineOptions',
    'EntityClass',
    'EntityOrRepository',
    'ErrorDetails',
    'ExcludedRoute',
    'GetOptions',
    'GetOr404Options',
    'HandlerOptions',
    'Identifier',
    'InDoubtBranch',
    'InDoubtUnit',
    'IsolationLevel',
    'IterPagesOptions',
    'MakeQuery',
    'ModelChange',
    'ModelOperation',
    'ModelsListener',
    'NotFound',
    'NotFoundOptions',
    'ObjectInspection',
    'ObjectState',
    'OnTaskError',
    'Outcome',
    'PaginateOptions',
    'PoolCounters',
    'PoolOptions',
    'PrePingMode',
    'Propagation',
    'QueryOf',
    'QueryProperty',
    'ReadYourWritesOptions',
    'RecoverOptions',
    'Registry',
    'ReplicaStatus',
    'ReportedTask',
    'RepositoryMode',
    'ResetMode',
    'RetryOptions',
    'RollbackOn',
    'RowLock',
    'RunInScopeOptions',
    'RunOptions',
    'Scope',
    'ScopeOptions',
    'ScopedSessionModuleAsyncOptions',
    'ScopedSessionModuleOptions',
    'ScopedSessionOptionsFactory',
    'SessionApi',
    'SessionClass',
    'SessionConveniences',
    'SessionFactoryOptions',
    'SessionHooks',
    'SessionLoading',
    'SessionMethodDecorator',
    'SessionObjects',
    'SessionQuery',
    'SessionReplicas',
    'SessionSettings',
    'SessionStatements',
    'SessionTransactions',
    'SessionUnitOfWork',
    'SqliteConnections',
    'StatementParameters',
    'SupportedDriver',
    'TaskCounters',
    'TaskOutcome',
    'TaskResult',
    'TaskWork',
    'TransactionOptions',
    'TransactionalMethodOptions',
    'TransactionalOptions',
    'UnitOfWorkMode',
    'UnitOfWorkOptions',
    'Warn',
  ],
  'src/testing/index.ts': ['FakeAnswer', 'FakeAnswers', 'FakeEvent', 'FakeObjectsOptions', 'FakeStatement'],
} as const;

const ENTRIES = ['src/index.ts', 'src/testing/index.ts'] as const;
const AT_RUN_TIME = { 'src/index.ts': main, 'src/testing/index.ts': testing };

let program: ts.Program;
let declarations: Map<string, string>;

beforeAll(() => {
  program = programOf([], optionsOf('tsconfig.build.json'), { files: ENTRIES });
  declarations = new Map();
  program.emit(undefined, (fileName, text) => declarations.set(pathOf(fileName), text), undefined, true);
});

interface Exported {
  readonly name: string;
  readonly symbol: ts.Symbol;
  readonly isValue: boolean;
}

function exportsOf(entry: string): Exported[] {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(ROOT + entry)!)!;
  return checker.getExportsOfModule(module).map((alias) => {
    const symbol = alias.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(alias) : alias;
    const isValue = (symbol.flags & ts.SymbolFlags.Value) !== 0 && !isTypeOnly(alias);
    return { name: alias.name, symbol, isValue };
  });
}

/** Whether a class is shown to the compiler alone, as `Scope` is: nobody but the library makes one. */
function isTypeOnly(alias: ts.Symbol): boolean {
  return (alias.declarations ?? []).some(
    (declaration) =>
      ts.isExportSpecifier(declaration) && (declaration.isTypeOnly || declaration.parent.parent.isTypeOnly),
  );
}

describe.each(ENTRIES)('%s', (entry) => {
  it('exports exactly these values', () => {
    expect(Object.keys(AT_RUN_TIME[entry]).toSorted()).toEqual(VALUES[entry]);
  });

  it('exports exactly these types', () => {
    const exported = exportsOf(entry);
    expect(
      exported
        .filter(({ isValue }) => !isValue)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(TYPES[entry]);
    expect(
      exported
        .filter(({ isValue }) => isValue)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(VALUES[entry]);
  });

  it('documents every name', () => {
    const checker = program.getTypeChecker();
    const silent = exportsOf(entry).filter(
      ({ symbol }) => symbol.getDocumentationComment(checker).length === 0,
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('says `any` nowhere in the declarations that a user gets', () => {
    const reached = declarationsFrom(entry.replace('src/', 'dist/').replace('.ts', '.d.ts'));
    expect(reached.length).toBeGreaterThan(10);
    expect(reached.flatMap(saysAny)).toEqual([]);
  });
});

/** A declaration file and all that it leads to. */
function declarationsFrom(entry: string, seen = new Set<string>()): SourceFile[] {
  const text = declarations.get(entry);
  if (seen.has(entry) || text === undefined) return [];
  seen.add(entry);
  const file = parse(text, entry);
  const targets = importsOf(file).map(({ specifier }) =>
    targetOf(file, specifier)?.replace(/\.ts$/, '.d.ts'),
  );
  return [file, ...targets.flatMap((target) => (target ? declarationsFrom(target, seen) : []))];
}

function saysAny(file: SourceFile): string[] {
  return [...nodesOf(file.tree)]
    .filter(({ kind }) => kind === ts.SyntaxKind.AnyKeyword)
    .map((node) => `${place(file, node)} ${node.parent.getText()}`);
}

it('`any` is found where it is said, and not in words', () => {
  const file = parse('/** any */\nexport declare const many: Map<string, any[]>;\n', 'dist/a.d.ts');
  expect(saysAny(file)).toEqual(['dist/a.d.ts:2 any[]']);
});

it('names are exported one by one', () => {
  const stars = sourceFiles().flatMap((file) =>
    [...nodesOf(file.tree)]
      .filter((node) => ts.isExportDeclaration(node) && node.exportClause === undefined)
      .map((node) => place(file, node)),
  );
  expect(stars).toEqual([]);
});
