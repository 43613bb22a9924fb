/**
 * The declaration of a command: its name, its payload and its success, as schemas. Its handler (Handler.ts) says what
 * it does, and runs on nodes only, so a browser can import a declaration and call the command.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { fieldsOf, type Rule } from "../Access/Rule.ts"
import { invariant } from "../Invariant.ts"
import { kebabOf } from "../Model/Path.ts"

/** The schema of a payload or a success. It must decode and encode without services. */
export type ValueSchema = Schema.Codec<unknown, unknown>

/**
 * An error that a command declares: a `Schema.TaggedError` class. Over HTTP it becomes a problem with the tag in kebab
 * case as its type, and with its fields. The status is its `httpApiStatus` annotation, from 400 to 499; 409 without
 * one.
 */
export type ErrorClass = Schema.Codec<{ readonly _tag: string }, unknown> & {
  readonly fields: { readonly _tag: Schema.Top }
}

/** A declared command. */
export interface Command<
  out Name extends string,
  out Payload extends ValueSchema,
  out Success extends ValueSchema,
  out Failure extends ErrorClass,
  out Access extends Rule | undefined = Rule | undefined,
  out IsServed extends boolean = boolean
> {
  readonly name: Name
  readonly payload: Payload
  readonly success: Success
  readonly errors: ReadonlyArray<Failure>
  /** Who may run it; undefined if it has no rule. */
  readonly access: Access
  /** Whether HTTP knows it. Otherwise only the application's own code runs it. */
  readonly isServed: IsServed
}

/** Any command. */
export type Any = Command<string, ValueSchema, ValueSchema, ErrorClass>

/** The status of an error without one of its own: a rule of the command is broken. */
const errorStatus = 409

/** The members that every problem has (RFC 9457 §3.1). An error's fields must not have these names. */
const problemMembers = ["type", "status", "title", "detail", "instance"] as const

/** Turns an error with such a field into a compile error that says so. */
type OwnFields<E extends ErrorClass> =
  Extract<keyof E["fields"], (typeof problemMembers)[number]> extends never
    ? unknown
    : { readonly fields: "an error has no field type, status, title, detail or instance: every problem has these" }

/**
 * A name appears unchanged in a path. The machine's own commands begin with a capital. Lithair's own have a slash in their
 * names, so they never clash with an application's, and no path serves them.
 */
const namePattern = /^(lithair\/)?[a-z][A-Za-z0-9-]{0,63}$/

/**
 * Declares a command.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Command } from "lithair"
 *
 * class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { left: Schema.Int }) {}
 *
 * const buy = Command.make("buy", {
 *   payload: Schema.Struct({ productId: Schema.String, count: Schema.Int }),
 *   success: Schema.Struct({ left: Schema.Int }),
 *   error: [SoldOut]
 * })
 * ```
 */
export const make = <
  const Name extends string,
  Payload extends ValueSchema,
  Success extends ValueSchema,
  Failure extends ErrorClass = never,
  const Access extends Rule | undefined = undefined,
  const IsServed extends boolean = true
>(
  name: Name,
  options: {
    readonly payload: Payload
    readonly success: Success
    readonly error?: ReadonlyArray<Failure & OwnFields<Failure>>
    /** Who may run it. The rule holds once the application has `auth`: then a command needs one. */
    readonly access?: Access
    /** `false`: HTTP does not know the command, and only the application's own code runs it. */
    readonly http?: IsServed
  }
): Command<Name, Payload, Success, Failure, Access, IsServed> => {
  const errors = options.error ?? []
  invariant(
    namePattern.test(name),
    `Command "${name}" must have a name of letters, digits and hyphens that begins with a small letter`
  )
  const tags = errors.map(tagOf)
  // In kebab case the tags name problems, so tags that differ in case only would clash.
  invariant(new Set(tags.map(kebabOf)).size === tags.length, `Command "${name}" declares two errors of one tag`)
  for (const error of errors) {
    const status = statusOf(error)
    invariant(status >= 400 && status <= 499, `Error "${tagOf(error)}" must have a status from 400 to 499`)
    const taken = Object.keys(error.fields).find((field) => problemMembers.some((member) => member === field))
    invariant(
      taken === undefined,
      `Command "${name}", error "${tagOf(error)}": it has a field "${taken}", which every problem has already`
    )
  }
  const { access, http, payload, success } = options
  const [field] = access === undefined ? [] : fieldsOf(access)
  invariant(field === undefined, `Command "${name}": its rule names ${field}, and a command has no record`)
  return { name, payload, success, errors, access: access as Access, isServed: (http !== false) as IsServed }
}

/** The tag of an error. */
export const tagOf = ({ fields: { _tag } }: ErrorClass): string => {
  invariant(SchemaAST.isLiteral(_tag.ast), "An error of a command must be a Schema.TaggedError class")
  return String(_tag.ast.literal)
}

/** The HTTP status of an error. */
export const statusOf = (error: ErrorClass): number => {
  const status = Schema.resolveAnnotations(error)?.httpApiStatus
  return typeof status === "number" ? status : errorStatus
}

/** Decodes an error that a node reported. None if the node knows another version of it. */
export const decodeError = <Failure extends ErrorClass>(
  errors: ReadonlyArray<Failure>,
  encoded: { readonly _tag: string }
): Option.Option<Failure["Type"]> => {
  const error = errors.find((each) => tagOf(each) === encoded._tag)
  if (error === undefined) return Option.none()
  const decode = Schema.decodeUnknownResult(Schema.toCodecJson(error))
  // The schema is application code, and may throw.
  const decoded = Result.try({ try: () => decode(encoded), catch: () => undefined })
  return Result.isSuccess(decoded) ? Result.getSuccess(decoded.success) : Option.none()
}
