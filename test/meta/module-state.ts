/** Finds what at a file's module level can change after the file was loaded. */
import ts from 'typescript';
import { nodesOf, place, type SourceFile } from './source-files.js';

/** What they hold is kept by somebody else's object, and goes with it. */
const HELD_WEAKLY: ReadonlySet<string> = new Set(['WeakMap', 'WeakSet', 'FinalizationRegistry']);

/** The one place that may know which unit of work runs. */
const SCOPE_STORAGE = 'src/scope/scope-storage.ts';

const ARRAY_CHANGES: ReadonlySet<string> = new Set([
  'push', 'pop', 'shift', 'unshift', 'splice', 'sort', 'reverse', 'fill', 'copyWithin',
]); // prettier-ignore
const OBJECT_CHANGES: ReadonlySet<string> = new Set([
  'assign',
  'defineProperty',
  'defineProperties',
  'setPrototypeOf',
]);

/** One line for each piece of mutable state, with its place. */
export function mutableState(file: SourceFile): string[] {
  const complain = (node: ts.Node, what: string): string => `${place(file, node)} ${what}`;
  const constants = new Set<string>();
  const found: string[] = [];

  const declared = (declaration: ts.VariableDeclaration | ts.PropertyDeclaration): void => {
    const { name, initializer, type } = declaration;
    if (ts.isIdentifier(name)) constants.add(name.text);
    const objection = initializer && objectionTo(bare(initializer), type, file);
    if (objection !== undefined) found.push(complain(declaration, objection));
  };

  for (const statement of file.tree.statements) {
    if (ts.isVariableStatement(statement)) {
      const isConst = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
      for (const declaration of statement.declarationList.declarations) {
        if (isConst) declared(declaration);
        else if (!isSetOnceWhileLoading(file, declaration))
          found.push(complain(declaration, `${declaration.name.getText()} can be assigned again`));
      }
    }
    if (!ts.isClassDeclaration(statement)) continue;
    for (const member of statement.members) {
      if (!ts.isPropertyDeclaration(member) || !has(member, ts.SyntaxKind.StaticKeyword)) continue;
      if (has(member, ts.SyntaxKind.ReadonlyKeyword)) declared(member);
      else found.push(complain(member, `${member.name.getText()} is static and can be assigned`));
    }
  }
  for (const node of nodesOf(file.tree)) {
    const changed = changedName(node);
    if (changed !== undefined && constants.has(changed)) found.push(complain(node, `changes ${changed}`));
  }
  return found;
}

/** Why a constant with this value is not constant. */
function objectionTo(
  value: ts.Expression,
  type: ts.TypeNode | undefined,
  file: SourceFile,
): string | undefined {
  if (ts.isRegularExpressionLiteral(value) && /[gy][a-z]*$/.test(value.text))
    return 'is a regular expression that remembers where it stopped';
  if (!ts.isNewExpression(value)) return undefined;
  const made = value.expression.getText();
  if (HELD_WEAKLY.has(made)) return undefined;
  if (made === 'Map' || made === 'Set')
    return type?.getText().startsWith(`Readonly${made}<`) === true ? undefined : `is a ${made} for everybody`;
  if (made === 'AsyncLocalStorage' && file.path === SCOPE_STORAGE) return undefined;
  return `makes a ${made} for everybody`;
}

/** `let x` that only a class's static block assigns is how a class lets its friends in: constant once it is loaded. */
function isSetOnceWhileLoading({ tree }: SourceFile, { name, initializer }: ts.VariableDeclaration): boolean {
  if (!ts.isIdentifier(name) || initializer !== undefined) return false;
  const assignments = [...nodesOf(tree)].filter((node) => assignedName(node) === name.text);
  return assignments.length === 1 && isInStaticBlock(assignments[0]!);
}

function isInStaticBlock(node: ts.Node): boolean {
  for (let around = node.parent; !ts.isSourceFile(around); around = around.parent) {
    if (ts.isClassStaticBlockDeclaration(around)) return true;
    if (ts.isFunctionLike(around)) return false;
  }
  return false;
}

function assignedName(node: ts.Node): string | undefined {
  const target = assignmentTarget(node);
  return target !== undefined && ts.isIdentifier(target) ? target.text : undefined;
}

function assignmentTarget(node: ts.Node): ts.Expression | undefined {
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    const isAssignment =
      kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment && bare(node.left);
    return isAssignment === false ? undefined : isAssignment;
  }
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    const isStep =
      node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken;
    return isStep ? bare(node.operand) : undefined;
  }
  return ts.isDeleteExpression(node) ? bare(node.expression) : undefined;
}

/** The object whose inside this node changes, where it is called by a plain name. */
function changedName(node: ts.Node): string | undefined {
  const target = assignmentTarget(node);
  if (target !== undefined && !ts.isIdentifier(target)) return rootName(target);
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  const { expression: owner, name } = node.expression;
  if (ARRAY_CHANGES.has(name.text)) return rootName(owner);
  const isOfObject =
    owner.getText() === 'Object' || owner.getText() === 'Reflect' ? OBJECT_CHANGES.has(name.text) : false;
  const [first] = node.arguments;
  return isOfObject && first !== undefined ? rootName(first) : undefined;
}

function rootName(expression: ts.Expression): string | undefined {
  const inner = bare(expression);
  if (ts.isIdentifier(inner)) return inner.text;
  if (ts.isPropertyAccessExpression(inner) || ts.isElementAccessExpression(inner))
    return rootName(inner.expression);
  return undefined;
}

/** Without parentheses, `as`, `satisfies` and `!`. */
function bare(expression: ts.Expression): ts.Expression {
  const isWrapped =
    ts.isParenthesizedExpression(expression) ||
    ts.isAsExpression(expression) ||
    ts.isSatisfiesExpression(expression) ||
    ts.isNonNullExpression(expression);
  return isWrapped ? bare(expression.expression) : expression;
}

function has(node: ts.HasModifiers, kind: ts.SyntaxKind): boolean {
  return node.modifiers?.some((modifier) => modifier.kind === kind) ?? false;
}
