/** Type-checks files, and texts that are in no file, with the project's own compiler and settings. */
import { dirname, resolve } from 'node:path';
import ts from 'typescript';
import { ROOT } from './source-files.js';

/** A program, or a part of one that exists only here. */
export interface SourceText {
  /** From the root; what it imports is looked for as if it stood there. */
  readonly path: string;
  readonly text: string;
}

/** The options of a configuration file of the project, resolved as the command line does it. */
export function optionsOf(config: string, overrides: ts.CompilerOptions = {}): ts.CompilerOptions {
  const { config: json, error } = ts.readConfigFile(ROOT + config, (path) => ts.sys.readFile(path));
  if (error !== undefined) throw new Error(messageOf(error));
  const { options } = ts.parseJsonConfigFileContent(json, ts.sys, ROOT, undefined, ROOT + config);
  return { ...options, ...overrides };
}

/** Sources that do not change while tests run; programs of one test file share them. */
export type SourceCache = Map<string, ts.SourceFile | undefined>;

export function programOf(
  texts: readonly SourceText[],
  options: ts.CompilerOptions,
  { files = [], cache = new Map() }: { files?: readonly string[]; cache?: SourceCache } = {},
): ts.Program {
  const here = new Map(texts.map(({ path, text }) => [ROOT + path, text]));
  const host = ts.createCompilerHost(options);
  const { fileExists, directoryExists, readFile, getSourceFile } = host;
  const folders = new Set([...here.keys()].map((path) => dirname(path)));
  host.directoryExists = (path) => folders.has(path) || directoryExists?.(path) === true;
  host.fileExists = (path) => here.has(path) || fileExists(path);
  host.readFile = (path) => here.get(path) ?? readFile(path);
  host.getSourceFile = (path, languageVersion, ...more) => {
    if (here.has(path)) return ts.createSourceFile(path, here.get(path)!, languageVersion, true);
    if (!cache.has(path)) cache.set(path, getSourceFile(path, languageVersion, ...more));
    return cache.get(path);
  };
  return ts.createProgram([...here.keys(), ...files.map((path) => resolve(ROOT, path))], options, host);
}

/** What the compiler says of these files, one line each; of the whole program's settings too. */
export function complaints(program: ts.Program, isMeant: (path: string) => boolean): string[] {
  const meant = program.getSourceFiles().filter(({ fileName }) => isMeant(pathOf(fileName)));
  return [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...meant.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]),
  ].map(describeDiagnostic);
}

export function pathOf(fileName: string): string {
  return fileName.startsWith(ROOT) ? fileName.slice(ROOT.length) : fileName;
}

function describeDiagnostic(diagnostic: ts.Diagnostic): string {
  const { file, start } = diagnostic;
  if (file === undefined || start === undefined) return messageOf(diagnostic);
  const { line } = file.getLineAndCharacterOfPosition(start);
  return `${pathOf(file.fileName)}:${line + 1} ${messageOf(diagnostic)}`;
}

function messageOf({ code, messageText }: ts.Diagnostic): string {
  return `TS${code}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
}
