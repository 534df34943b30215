/**
 * `node test/support/floating-promises.ts`, a part of `npm run lint`: no promise is dropped, since the rejection of a dropped
 * promise ends the process. The compiler has no such rule, and that of Biome does not know the types of Node's functions.
 */
import { relative } from 'node:path'
import {
  type Expression,
  isArrowFunction,
  isAwaitExpression,
  isBinaryExpression,
  isBlock,
  isCallExpression,
  isExpressionStatement,
  isFunctionExpression,
  isPropertyAccessExpression,
  isVoidExpression,
  type Node,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast'
import { API, type Checker, SignatureKind, type Type, TypeFlags } from 'typescript/unstable/sync'
import { repository } from './process.ts'

/** Calls whose promise `node:test` itself waits for. */
const testCalls: readonly string[] = ['test', 'it', 'describe']

/**
 * `path:line: first line of the code` of every promise that a project drops: as a statement, or as what a function returns
 * to a caller that expects nothing. The latter is accepted in tests, where an unhandled rejection fails the test, as it should.
 */
export function findFloatingPromises(folder: string): readonly string[] {
  const api = new API({ cwd: folder })
  try {
    const project = api.updateSnapshot({ openProjects: [`${folder}/tsconfig.json`] }).getProjects()[0]
    if (project === undefined) throw new Error(`${folder} has no tsconfig.json.`)
    const { program, checker } = project
    const names = program.getSourceFileNames().filter((name) => !/\/node_modules\/|\.d\.[cm]?ts$/.test(name))
    return names.flatMap((name) => {
      const file = program.getSourceFile(name)
      if (file === undefined) return []
      const found = findInFile(file, checker, !relative(folder, name).startsWith('test/'))
      return found.map((node) => `${relative(folder, name)}:${describeNode(file, node)}`)
    })
  } finally {
    api.close()
  }
}

function findInFile(file: SourceFile, checker: Checker, isStrict: boolean): readonly Node[] {
  const statements: Expression[] = []
  const callbacks: { readonly node: Expression; readonly body: Node }[] = []
  const visit = (node: Node): void => {
    if (isExpressionStatement(node) && !isHandled(node.expression)) statements.push(node.expression)
    if (isStrict && (isArrowFunction(node) || isFunctionExpression(node))) callbacks.push({ node, body: node.body })
    node.forEachChild(visit)
  }
  visit(file)
  const async = callbacks.filter(({ node, body }) => isAsync(node) || (!isBlock(body) && !isVoidExpression(body)))
  const returned = typesOf(
    checker,
    async.map(({ body }) => body),
  )
  const promised = async.filter(({ node }, at) => isAsync(node) || isPromise(returned[at]))
  const types = typesOf(checker, statements)
  return [
    ...statements.filter((_, at) => isPromise(types[at])),
    ...promised.flatMap(({ node }) => (isUnwanted(checker, node) ? [node] : [])),
  ]
}

function typesOf(checker: Checker, nodes: readonly Node[]): readonly (Type | undefined)[] {
  return nodes.length === 0 ? [] : checker.getTypeAtLocation(nodes)
}

/** True for a statement that waits, says that it does not, keeps the promise, or handles its rejection. */
function isHandled(statement: Expression): boolean {
  if (isAwaitExpression(statement) || isVoidExpression(statement)) return true
  if (isBinaryExpression(statement)) return true
  if (!isCallExpression(statement)) return false
  const { expression: callee, arguments: given } = statement
  if (testCalls.includes(rootOf(callee))) return true
  const name = nameOf(callee)
  return (name === 'catch' && given.length === 1) || (name === 'then' && given.length === 2)
}

/** `catch` of `work().catch`. */
function nameOf(callee: Expression): string {
  return isPropertyAccessExpression(callee) ? callee.name.text : ''
}

/** `test` of `test`, `test.skip` and `describe.only`. */
function rootOf(callee: Expression): string {
  const root = isPropertyAccessExpression(callee) ? callee.expression : callee
  return root.kind === SyntaxKind.Identifier ? root.getText() : ''
}

function isAsync(node: Expression): boolean {
  return (
    'modifiers' in node &&
    (node.modifiers as readonly Node[] | undefined)?.some(({ kind }) => kind === SyntaxKind.AsyncKeyword) === true
  )
}

function isPromise(type: Type | undefined): boolean {
  if (type === undefined) return false
  return membersOf(type).some((member) => ['Promise', 'PromiseLike'].includes(member.getSymbol()?.name ?? ''))
}

function membersOf(type: Type): readonly Type[] {
  try {
    return type.isUnionType() ? (type.getTypes() ?? []) : [type]
  } catch {
    // TypeScript 7.0.2 fails on unions of tuples, none of which is a promise.
    return []
  }
}

/** True when what a function expression is given to calls it for nothing: its signature returns `void`. */
function isUnwanted(checker: Checker, node: Expression): boolean {
  // Declared to return nothing, and yet `finally` waits.
  if (isCallExpression(node.parent) && nameOf(node.parent.expression) === 'finally') return false
  const wanted = checker.getContextualType(node)
  if (wanted === undefined) return false
  const returns = membersOf(wanted)
    .flatMap((member) => checker.getSignaturesOfType(member, SignatureKind.Call))
    .map((signature) => checker.getReturnTypeOfSignature(signature))
  return returns.length > 0 && returns.every((type) => type !== undefined && (type.flags & TypeFlags.Void) !== 0)
}

function describeNode(file: SourceFile, node: Node): string {
  const start = node.getStart(file)
  const line = file.text.slice(0, start).split('\n').length
  return `${line}: ${file.text.slice(start, node.end).split('\n', 1)[0]}`
}

if (process.argv[1] === import.meta.filename) {
  const found = findFloatingPromises(repository)
  for (const one of found) console.error(one)
  if (found.length > 0) {
    console.error(
      `${found.length} promises are dropped: await them, handle their rejection, or write "void" where it cannot happen.`,
    )
    process.exitCode = 1
  }
}
