/**
 * Merge patches of JSON (RFC 7396): null removes a member, an object is merged, and any other value replaces. One
 * addition: if a member is required and nullable, null sets it to null. Pure.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { once } from "./Once.ts"
import { define } from "./PlainJson.ts"

type Json = Schema.Json

interface JsonObject {
  readonly [key: string]: Json
}

/** The parts of a value's schema that a merge needs; undefined if the value is never an object, or may be any. */
export interface MergeShape {
  /** More than one if the value is one of several kinds of objects. */
  readonly objects: ReadonlyArray<ObjectShape>
  /** Whether a typed patch replaces this value as a whole. */
  readonly isWhole: boolean
}

interface ObjectShape {
  readonly members: ReadonlyMap<string, MemberShape>
  /** The shape of members without a declared name. */
  readonly others: () => MergeShape | undefined
}

interface MemberShape {
  readonly isOptional: boolean
  readonly admitsNull: boolean
  /** The values that tell one kind of object from another, if there are any. */
  readonly literals: ReadonlyArray<unknown> | undefined
  readonly shape: () => MergeShape | undefined
}

/** Keys such as `__proto__` are plain data. */
export const mergePatch = (target: Json | undefined, patch: Json, shape?: MergeShape): Json => {
  if (!isObject(patch)) return patch
  const former = isObject(target) ? target : {}
  const object = kindOf(shape, former, patch)
  const merged: Record<string, Json> = {}
  const merge = (key: string, value: Json): void => {
    const member = object?.members.get(key)
    if (value !== null) {
      const inner = member === undefined ? object?.others() : member.shape()
      define(merged, key, mergePatch(Object.hasOwn(former, key) ? former[key] : undefined, value, inner))
    } else if (member?.isOptional === false && member.admitsNull) define(merged, key, null)
  }
  // A changed member keeps its place among the former ones.
  for (const key of Object.keys(former)) {
    if (Object.hasOwn(patch, key)) merge(key, patch[key]!)
    else define(merged, key, former[key]!)
  }
  for (const key of Object.keys(patch)) if (!Object.hasOwn(former, key)) merge(key, patch[key]!)
  return merged
}

interface FieldError {
  readonly path: string
  readonly message: string
}

/** The errors of a merged record. Where the patch has removed a required member with null, the error says so. */
export const errorsOfMerge = (
  { merged, patch }: { readonly patch: Json; readonly merged: Json },
  errors: ReadonlyArray<FieldError>
): ReadonlyArray<FieldError> =>
  errors.map((error) =>
    valueAt(patch, error.path) === null && valueAt(merged, error.path) === undefined
      ? { path: error.path, message: "This field is required: null cannot remove it" }
      : error
  )

const valueAt = (json: Json, path: string): Json | undefined =>
  path
    .split(".")
    .reduce<Json | undefined>((at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined), json)

/** Turns a typed patch into a merge patch. A value that replaces the former one names every absent member with null. */
export const withNulls = (patch: Json, shape: MergeShape | undefined, isWithinWhole = false): Json => {
  if (!isObject(patch) || shape === undefined) return patch
  const isWhole = isWithinWhole || shape.isWhole
  const object = kindOf(shape, {}, patch)
  const entries = Object.entries(patch).map(([key, value]): [string, Json] => {
    const inner = (object?.members.get(key)?.shape ?? object?.others)?.()
    return [key, withNulls(value, inner, isWhole)]
  })
  const names = isWhole ? shape.objects.flatMap(({ members }) => [...members.keys()]) : []
  const absent = names.filter((key) => !Object.hasOwn(patch, key)).map((key): [string, Json] => [key, null])
  return Object.fromEntries([...entries, ...absent])
}

/** The kind of object that the value will be. It is chosen by top-level members only, so the choice is cheap. */
const kindOf = (shape: MergeShape | undefined, target: JsonObject, patch: JsonObject): ObjectShape | undefined => {
  const objects = shape?.objects ?? []
  if (objects.length <= 1) return objects[0]
  const valueOf = (key: string) =>
    Object.hasOwn(patch, key) ? patch[key] : Object.hasOwn(target, key) ? target[key] : undefined
  return objects.find(
    ({ members, others }) =>
      Array.from(members).every(([key, { admitsNull, isOptional, literals }]) => {
        const value = valueOf(key)
        if (value === undefined || value === null) return isOptional || (value === null && admitsNull)
        return literals === undefined || literals.includes(value)
      }) && Object.keys(patch).every((key) => patch[key] === null || members.has(key) || others() !== undefined)
  )
}

/** Reads the shape of a JSON codec. */
export const shapeOf = (codec: SchemaAST.AST): MergeShape | undefined => {
  if (codec.encoding !== undefined) {
    const written = shapeOf(SchemaAST.toEncoded(codec))
    return written === undefined ? undefined : { ...written, isWhole: true }
  }
  switch (codec._tag) {
    case "Suspend":
      return shapeOf(codec.thunk())
    case "Union": {
      const shapes = codec.types.map(shapeOf).filter((shape) => shape !== undefined)
      const objects = shapes.flatMap((shape) => shape.objects)
      return shapes.length === 0 ? undefined : { objects, isWhole: objects.length > 1 || shapes[0]!.isWhole }
    }
    case "Objects":
      return { objects: [objectOf(codec)], isWhole: false }
    default:
      return undefined
  }
}

const objectOf = ({ indexSignatures, propertySignatures }: SchemaAST.Objects): ObjectShape => ({
  members: new Map(
    propertySignatures.map(({ name, type }): [string, MemberShape] => [
      String(name),
      {
        isOptional: SchemaAST.isOptional(SchemaAST.toEncoded(type)),
        admitsNull: admitsNull(type),
        literals: literalsOf(type),
        // A schema may refer to itself, so it is read only as deep as a patch goes.
        shape: once(() => shapeOf(type))
      }
    ])
  ),
  others: once(() => (indexSignatures[0] === undefined ? undefined : (shapeOf(indexSignatures[0].type) ?? anything)))
})

/** The shape of a record's values: any value may appear. */
const anything: MergeShape = { objects: [], isWhole: false }

/** A check of the application's own may throw. Then the schema does not admit null. */
const admitsNull = (type: SchemaAST.AST): boolean => {
  const decode = Schema.decodeUnknownResult(Schema.make<Schema.Codec<unknown, unknown>>(type))
  return Result.getOrElse(
    Result.try(() => Result.isSuccess(decode(null))),
    () => false
  )
}

const literalsOf = (type: SchemaAST.AST): ReadonlyArray<unknown> | undefined => {
  const written = SchemaAST.toEncoded(type)
  if (SchemaAST.isLiteral(written)) return [written.literal]
  if (!SchemaAST.isUnion(written)) return undefined
  const all = written.types.map(literalsOf)
  return all.every((each) => each !== undefined) ? all.flat() : undefined
}

const isObject = (json: unknown): json is JsonObject =>
  typeof json === "object" && json !== null && !Array.isArray(json)
