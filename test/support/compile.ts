/** Compiles a fixture as others do: tsc on the whole program, or file by file without knowledge of types. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import ts from 'typescript';

export const COMPILERS = {
  'tsc on the whole program': emitWithProgram,
  'tsc file by file': emitAlone,
} as const;

/** The exports of a compiled file; what it imports is handed to it, so that there is one copy of everything. */
export function load<Exports>(javaScript: string, modules: Readonly<Record<string, unknown>>): Exports {
  const { outputText } = ts.transpileModule(javaScript, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023 },
  });
  const exports = {};
  const require = (name: string): unknown => {
    if (name in modules) return modules[name];
    throw new Error(`The compiled fixture imports ${name}, which the test does not hand over.`);
  };
  compileFunction(outputText, ['exports', 'require'])(exports, require);
  return exports as Exports;
}

function emitWithProgram(file: string): string {
  const program = ts.createProgram([file], optionsOfProject());
  let emitted: string | undefined;
  program.emit(program.getSourceFile(file), (_name, text) => (emitted = text));
  if (emitted === undefined) throw new Error(`tsc has emitted nothing for ${file}.`);
  return emitted;
}

function emitAlone(file: string): string {
  return ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions: optionsOfProject() }).outputText;
}

function optionsOfProject(): ts.CompilerOptions {
  const file = createRequire(import.meta.url).resolve('../../tsconfig.json');
  const { config } = ts.readConfigFile(file, (path) => ts.sys.readFile(path)) as { config: unknown };
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  return { ...options, noEmit: false, declaration: false, sourceMap: false };
}
