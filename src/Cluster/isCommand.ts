/**
 * Checks the shape of a command that a peer forwarded. Pure. Unknown fields are refused, since such a field may change the
 * meaning of the command. `decide` checks the data by the model's schema.
 *
 * Every forwarded write passes here on the leader, so these are plain functions: a schema's decoder takes ten times as
 * long.
 */
import { idOf, isCaller, systemId } from "../Access/Caller.ts"
import { isRecord } from "../Machine/Json.ts"
import { traceparentLength } from "../Tracing.ts"

/** Whether a value is as a field needs it. */
type Check = (value: unknown) => boolean

interface Field {
  readonly check: Check
  readonly isOptional: boolean
}

/** The fields of an object, by name. */
type Shape = ReadonlyMap<string, Field>

const required = (check: Check): Field => ({ check, isOptional: false })
const optional = (check: Check): Field => ({ check, isOptional: true })

const isText: Check = (value) => typeof value === "string"
const isBoolean: Check = (value) => typeof value === "boolean"
const isAny: Check = () => true
const isOneOf =
  (...texts: ReadonlyArray<unknown>): Check =>
  (value) =>
    texts.includes(value)

const origin = {
  caller: optional(isCaller),
  isGuarded: optional(isOneOf(true)),
  principal: optional(isText),
  key: optional(isText),
  fingerprint: optional(isText),
  assignedKey: optional(isText),
  // What it names is not believed, only recorded.
  trace: optional((value) => typeof value === "string" && value.length === traceparentLength)
}
const condition = {
  ifMatch: optional((value) => value === "*" || (Array.isArray(value) && value.every(Number.isSafeInteger)))
}
const ofModel = {
  _tag: required(isText),
  model: required(isText),
  // Absent in orders of earlier releases.
  modelVersion: optional(Number.isSafeInteger)
}

const operations: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  Create: { ...ofModel, id: optional(isText), data: required(isAny) },
  Put: {
    ...ofModel,
    id: required(isText),
    data: required(isAny),
    ifNoneMatch: optional(isBoolean),
    ...condition
  },
  Patch: {
    ...ofModel,
    id: required(isText),
    data: required(isAny),
    // A node of an older version may send this. Its patch is merged like any other.
    isByField: optional(isOneOf(true)),
    ...condition
  },
  Delete: { ...ofModel, id: required(isText), ...condition }
}

const shapesOf = (shapes: typeof operations, more: Readonly<Record<string, Field>> = {}): ReadonlyMap<string, Shape> =>
  new Map(Object.entries(shapes).map(([tag, fields]) => [tag, new Map(Object.entries({ ...fields, ...more }))]))

/** Whether an object has the fields of the shape that its tag names, and no other ones. */
const hasShape = (shapes: ReadonlyMap<string, Shape>, value: unknown): boolean => {
  if (!isRecord(value) || typeof value._tag !== "string") return false
  const shape = shapes.get(value._tag)
  if (shape === undefined) return false
  for (const name of Object.keys(value)) {
    const field = shape.get(name)
    if (field === undefined || !field.check(value[name])) return false
  }
  for (const [name, { isOptional }] of shape) if (!isOptional && !Object.hasOwn(value, name)) return false
  return true
}

const operationShapes = shapesOf(operations)
const isOperation: Check = (value) => hasShape(operationShapes, value)

const commandShapes = shapesOf(
  {
    ...operations,
    Transact: {
      _tag: required(isText),
      operations: required((value) => Array.isArray(value) && value.every(isOperation)),
      name: optional(isOneOf("Bulk"))
    },
    Call: { _tag: required(isText), name: required(isText), payload: required(isAny) },
    Close: { _tag: required(isText) }
  },
  origin
)

/** Whether the principal that owns the key is the caller. */
const isOwnKey = ({ caller, principal }: Readonly<Record<string, unknown>>): boolean =>
  isCaller(caller)
    ? principal === idOf(caller) || (caller._tag === "System" && principal === systemId)
    : principal === undefined

/** Whether JSON from a peer has the shape of a command that a client may cause. */
export const isCommand = (json: unknown): boolean =>
  hasShape(commandShapes, json) && isOwnKey(json as Readonly<Record<string, unknown>>)
