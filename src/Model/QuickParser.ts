/**
 * Parses valid values by the parts of a schema: fields, lists, checks and transformations that do not wait. Effect's own
 * parser makes an exit for each part, and a quarter of a leader's time went there. This one only says "not parsed" of
 * whatever is wrong or unusual, and the caller asks Effect's, which also finds the errors: so both agree on every value.
 * Pure, as far as the schema is.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as SchemaAST from "effect/SchemaAST"

/** Not parsed: only the schema's own parser can tell. */
export const notParsed: unique symbol = Symbol("lithair/Model/notParsed")

/** Returns the parsed value, or {@link notParsed}. Throws nothing. */
export type QuickParser = (value: unknown) => unknown

/** As Effect's parsers have them by default. */
const parseOptions: SchemaAST.ParseOptions = {}

/**
 * A parser for an AST: of a codec to decode, of the flipped one to encode. Keys that an object does not know are dropped,
 * or with `refusesExcess` not parsed. It is compiled when first used.
 */
export const quickParser = (ast: () => SchemaAST.AST, { refusesExcess = false } = {}): QuickParser => {
  let parse: QuickParser | undefined
  return (value) => {
    try {
      parse ??= compile(ast(), refusesExcess)
      return parse(value)
    } catch {
      // A check or a transformation threw: the schema's parser says what that means.
      return notParsed
    }
  }
}

const never: QuickParser = () => notParsed

/** Parses through the encoded forms of a node, the outermost first, and then as the node itself. */
const compile = (ast: SchemaAST.AST, refusesExcess: boolean): QuickParser => {
  const own = checked(ast, ownParser(ast, refusesExcess))
  return (ast.encoding ?? []).reduce((inner, { to, transformation }) => {
    if (transformation._tag !== "Transformation") return never
    const outer = compile(to, refusesExcess)
    const { decode } = transformation
    switch (decode._tag) {
      case "Passthrough":
        return following(outer, inner)
      case "Transform":
        return following(following(outer, decode.transform), inner)
      case "TransformEffect":
        return following(
          following(outer, (value) => valueOf(decode.transform(value, parseOptions))),
          inner
        )
      default:
        return never
    }
  }, own)
}

const following = (first: QuickParser, second: QuickParser): QuickParser => {
  if (first === never || second === never) return never
  return (value) => {
    const parsed = first(value)
    return parsed === notParsed ? notParsed : second(parsed)
  }
}

/** The value of an effect that has succeeded already. Effect's own parsers mark an absent or unchanged value by a symbol. */
const valueOf = (effect: Effect.Effect<unknown, unknown, unknown>): unknown =>
  Exit.isExit(effect) && Exit.isSuccess(effect) && typeof effect.value !== "symbol" ? effect.value : notParsed

/** The checks of the other direction see what comes in, and a node's own what goes out. */
const checked = (ast: SchemaAST.AST, parse: QuickParser): QuickParser => {
  const { checks } = ast
  const before = "encodingChecks" in ast ? ast.encodingChecks : undefined
  if (parse === never || (checks === undefined && before === undefined)) return parse
  return (value) => {
    const parsed = parse(value)
    if (parsed === notParsed) return notParsed
    if (before !== undefined && !passes(before, value, ast)) return notParsed
    return checks === undefined || passes(checks, parsed, ast) ? parsed : notParsed
  }
}

const passes = (checks: SchemaAST.Checks, value: unknown, ast: SchemaAST.AST): boolean => {
  for (const check of checks) {
    const isPassed =
      check._tag === "Filter" ? check.run(value, ast, parseOptions) === undefined : passes(check.checks, value, ast)
    if (!isPassed) return false
  }
  return true
}

const only =
  (is: (value: unknown) => boolean): QuickParser =>
  (value) =>
    is(value) ? value : notParsed
const text = only((value) => typeof value === "string")
const number = only((value) => typeof value === "number")
const boolean = only((value) => typeof value === "boolean")

/** Parses as the node itself, without its encoding and its checks. */
const ownParser = (ast: SchemaAST.AST, refusesExcess: boolean): QuickParser => {
  switch (ast._tag) {
    case "String":
      return text
    case "Number":
      return number
    case "Boolean":
      return boolean
    case "Null":
      return only((value) => value === null)
    case "Undefined":
      return only((value) => value === undefined)
    case "Literal":
      return only((value) => value === ast.literal)
    case "Unknown":
    case "Any":
      return (value) => value
    case "Declaration": {
      let run: ReturnType<typeof ast.run> | undefined
      return (value) => {
        run ??= ast.run(ast.typeParameters)
        return valueOf(run(value, ast, parseOptions))
      }
    }
    case "Union":
      return unionOf(ast)
    case "Objects":
      return objectOf(ast, refusesExcess)
    case "Arrays":
      return listOf(ast, refusesExcess)
    default:
      return never
  }
}

/** Members that change nothing: then it does not matter which one takes a value. */
const unionOf = ({ options, types }: SchemaAST.Union): QuickParser => {
  if (options?.mode === "oneOf" || !types.every(isPlain)) return never
  const members = types.map((type) => compile(type, true))
  return (value) => {
    for (const parse of members) if (parse(value) !== notParsed) return value
    return notParsed
  }
}

const isPlain = ({ _tag, encoding }: SchemaAST.AST): boolean => {
  switch (_tag) {
    case "String":
    case "Number":
    case "Boolean":
    case "Null":
    case "Undefined":
    case "Literal":
      return encoding === undefined
    default:
      return false
  }
}

interface Member {
  readonly name: string
  readonly parse: QuickParser
  /** Whether an object may be without it. */
  readonly isOptional: boolean
}

const objectOf = ({ indexSignatures, propertySignatures }: SchemaAST.Objects, refusesExcess: boolean): QuickParser => {
  const members = propertySignatures.map(
    ({ name, type }): Member => ({
      name: String(name),
      parse: compile(type, refusesExcess),
      // The transformations that are compiled here make nothing of nothing.
      isOptional: type.context?.isOptional === true
    })
  )
  const isUnusual = propertySignatures.some(({ name }) => typeof name !== "string" || name === "__proto__")
  // A schema without fields takes other values than objects too.
  if (isUnusual || members.length === 0 || indexSignatures.length > 0) return never
  if (members.some(({ parse }) => parse === never)) return never
  const names = new Set(members.map(({ name }) => name))
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return notParsed
    if (refusesExcess && hasOthers(value, names)) return notParsed
    const parsed: Record<string, unknown> = {}
    for (const { isOptional, name, parse } of members) {
      if (!(name in value)) {
        if (isOptional) continue
        return notParsed
      }
      const member = parse((value as Record<string, unknown>)[name])
      if (member === notParsed) return notParsed
      parsed[name] = member
    }
    return parsed
  }
}

const hasOthers = (value: object, names: ReadonlySet<string>): boolean => {
  for (const key in value) if (Object.hasOwn(value, key) && !names.has(key)) return true
  return Object.getOwnPropertySymbols(value).length > 0
}

const listOf = ({ elements, rest }: SchemaAST.Arrays, refusesExcess: boolean): QuickParser => {
  const [type, ...others] = rest
  if (elements.length > 0 || type === undefined || others.length > 0) return never
  const parse = compile(type, refusesExcess)
  if (parse === never) return never
  return (value) => {
    if (!Array.isArray(value)) return notParsed
    const parsed: Array<unknown> = []
    for (const item of value) {
      const each = parse(item)
      if (each === notParsed) return notParsed
      parsed.push(each)
    }
    return parsed
  }
}
