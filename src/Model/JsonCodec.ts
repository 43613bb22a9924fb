/**
 * The JSON codecs of schemas for requests and answers. They are stricter about dates than Effect's own codecs: a date is
 * RFC 3339 with a zone, or a number of ms, in the years 0000 to 9999, in both directions. Stored rows are read by
 * `Schema.toCodecJson` itself, since an earlier release may have accepted more.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { type Notation, notationOf, typeOf } from "./Notation.ts"
import { instantMaxMs, instantMinMs, read } from "./Rfc3339.ts"

/** A codec of JSON. Decoding and encoding need no service. */
export const jsonCodec = <S extends Schema.Top>(schema: S): Schema.Codec<S["Type"], Schema.Json> =>
  Schema.make<Schema.Codec<S["Type"], Schema.Json>>(strict(Schema.toCodecJson(schema).ast))

/** Many schemas share a node, so each node is built once. */
const known = new WeakMap<SchemaAST.AST, SchemaAST.AST>()

const strict = (ast: SchemaAST.AST): SchemaAST.AST => {
  const found = known.get(ast) ?? build(ast)
  known.set(ast, found)
  return found
}

const zoned = "effect/schema/DateTimeZoned"

const dates: ReadonlyArray<string | undefined> = ["effect/schema/Date", "effect/schema/DateTimeUtc", zoned]

const build = (ast: SchemaAST.AST): SchemaAST.AST => {
  const notation = dates.includes(typeOf(ast)) ? notationOf(ast) : undefined
  if (notation !== undefined) {
    const text = typeOf(ast) === zoned ? zonedText : plainText
    return withLast(ast, (written) => dateAs(notation, text, written))
  }
  const encoding = mapped(ast.encoding, (link) => {
    const to = strict(link.to)
    return to === link.to ? link : new SchemaAST.Link(to, link.transformation)
  })
  return copyOf(ast, { ...partsOf(ast), ...(encoding === ast.encoding ? {} : { encoding }) })
}

/** The parts of a node to replace because they hold dates. */
const partsOf = (ast: SchemaAST.AST): object => {
  switch (ast._tag) {
    case "Declaration":
      return changed(ast, { typeParameters: mapped(ast.typeParameters, strict) })
    case "Union":
      return changed(ast, { types: mapped(ast.types, strict) })
    case "Arrays":
      return changed(ast, { elements: mapped(ast.elements, strict), rest: mapped(ast.rest, strict) })
    case "Objects":
      return changed(ast, {
        propertySignatures: mapped(ast.propertySignatures, (property) => {
          const type = strict(property.type)
          return type === property.type ? property : new SchemaAST.PropertySignature(property.name, type)
        }),
        indexSignatures: mapped(ast.indexSignatures, (index) => {
          const type = strict(index.type)
          return type === index.type ? index : new SchemaAST.IndexSignature(index.parameter, type)
        })
      })
    case "Suspend":
      return { thunk: () => strict(ast.thunk()) }
    default:
      return {}
  }
}

const changed = <A extends object>(ast: A, parts: Partial<A>): Partial<A> =>
  Object.entries(parts).every(([name, part]) => Reflect.get(ast, name) === part) ? {} : parts

/** Maps a list, and returns the same list if no item changes. */
const mapped = <A extends ReadonlyArray<unknown> | undefined>(
  list: A,
  f: (item: NonNullable<A>[number]) => NonNullable<A>[number]
): A => {
  const next = list?.map(f)
  return next === undefined || next.every((item, at) => item === list?.[at]) ? list : (next as unknown as A)
}

const copyOf = (ast: SchemaAST.AST, changes: object): SchemaAST.AST =>
  Object.keys(changes).length === 0 ? ast : Object.assign(Object.create(Object.getPrototypeOf(ast)), ast, changes)

/** Replaces the outermost form of a node, which is that of JSON. */
const withLast = (ast: SchemaAST.AST, f: (written: SchemaAST.AST) => SchemaAST.AST): SchemaAST.AST => {
  const { encoding } = ast
  if (encoding === undefined) return f(ast)
  const last = encoding[encoding.length - 1]!
  const link = new SchemaAST.Link(withLast(last.to, f), last.transformation)
  return copyOf(ast, { encoding: [...encoding.slice(0, -1), link] })
}

const dateAs = (notation: Notation, text: Text, written: SchemaAST.AST): SchemaAST.AST => {
  // The outermost form says whether the key may be absent.
  const within = (ast: SchemaAST.AST) => copyOf(ast, { context: written.context })
  switch (notation) {
    case "instant":
      return SchemaAST.decodeTo(within(text.schema.ast), written, text.inOneSpelling)
    case "epochMs":
      return SchemaAST.decodeTo(within(EpochMs.ast), written, SchemaTransformation.passthrough())
    default:
      return written
  }
}

/** A date as text, in the one spelling that `Date` reads alike on every runtime. */
interface Text {
  readonly schema: Schema.Top
  readonly inOneSpelling: SchemaTransformation.Transformation<string, string>
}

/** The JSON Schema of such a text, with the days of each month and leap years (RFC 3339 §5.6, §5.7). */
const dateTime = (zone: string) => {
  const leapDay = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29"
  const day =
    "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
  const time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?"
  const offset = "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
  return { format: "date-time", pattern: `^(${day}|${leapDay})[Tt]${time}${offset}${zone}$` }
}

const textOf = (
  isDate: (text: string) => boolean,
  normal: (text: string) => string,
  { example, zone = "" }: { readonly example: string; readonly zone?: string }
): Text => ({
  schema: Schema.String.check(
    Schema.makeFilter(isDate, {
      toJsonSchema: () => dateTime(zone),
      expected: `a date and time with a time zone, as ${example} (RFC 3339), in the years 0000 to 9999`
    })
  ),
  inOneSpelling: SchemaTransformation.transform<string, string>({ decode: normal, encode: (text) => text })
})

const plainText = textOf(
  (text) => {
    const found = read(text)
    return found !== undefined && found.zone === undefined
  },
  (text) => read(text)?.normal ?? text,
  { example: "2026-02-01T10:00:00Z" }
)

/** The name of a zone may follow (RFC 9557). */
const zonedText = textOf(
  (text) => read(text) !== undefined,
  (text) => {
    const { normal = text, zone = "" } = read(text) ?? {}
    return zone === "" ? normal.replace(/Z$/, "+00:00") : normal + zone
  },
  { example: "2026-02-01T10:00:00+01:00", zone: "(\\[[A-Za-z0-9._/+-]{1,64}\\])?" }
)

const EpochMs = Schema.Number.check(
  Schema.isBetween(
    { minimum: instantMinMs, maximum: instantMaxMs },
    { expected: "the milliseconds since 1970 of an instant in the years 0000 to 9999" }
  )
)
