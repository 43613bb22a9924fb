/**
 * How far a follower of changes has seen the log. Pure. docs/http.md, "Changes". The text of a position is the id of an
 * event, and every node that has the log resumes after it.
 */

/** Everything up to here was seen. The order is that of the log. */
export interface Position {
  readonly index: number
  /** The last event of that entry that was seen; absent once all of the entry was. */
  readonly ordinal?: number
  /**
   * Present until the whole first state was seen. Of that state the records up to this one were seen, and their changes
   * up to the position. Of all other records nothing was.
   */
  readonly shown?: RecordKey
}

/** The place of a record in the order in which a first state is told: by model, then by id. */
export interface RecordKey {
  readonly model: string
  readonly id: string
}

/** Comes before all records. */
export const noRecord: RecordKey = { model: "", id: "" }

const pattern = /^(0|[1-9]\d{0,15})(?:\.(0|[1-9]\d{0,4}))?(~(?:([A-Za-z_$][\w$]*)~([A-Za-z0-9][\w.~-]{0,127}))?)?$/

/** Writes a position: `<index>.<ordinal>`, or `<index>` for the whole entry. A node's own log adds the node before it. */
export const formatPosition = ({ index, ordinal, shown }: Position, instance?: string): string => {
  const at = ordinal === undefined ? String(index) : `${index}.${ordinal}`
  const whole = shown === undefined ? at : shown === noRecord ? `${at}~` : `${at}~${shown.model}~${shown.id}`
  return instance === undefined ? whole : `${instance}:${whole}`
}

/** A text that is a position, of the log of `instance` if that is present. */
export interface ParsedPosition {
  readonly position: Position
  readonly instance: string | undefined
}

/** Reads a position; undefined if the text is none. */
export const parsePosition = (text: string): ParsedPosition | undefined => {
  const colon = text.indexOf(":")
  const instance = colon === -1 ? undefined : text.slice(0, colon)
  const [, index, ordinal, tilde, model, id] = pattern.exec(text.slice(colon + 1)) ?? []
  if (index === undefined || instance === "") return undefined
  const at = ordinal === undefined ? { index: Number(index) } : { index: Number(index), ordinal: Number(ordinal) }
  if (tilde === undefined) return { instance, position: at }
  return { instance, position: { ...at, shown: model === undefined || id === undefined ? noRecord : { model, id } } }
}

/** The first entry that may hold something that was not seen. */
export const nextEntry = ({ index, ordinal }: Position): number => (ordinal === undefined ? index + 1 : index)

/** The last entry that was seen as a whole. */
export const wholeIndex = ({ index, ordinal }: Position): number => (ordinal === undefined ? index : index - 1)

/** Whether a record comes no later than another one in the order of a first state. */
export const isUpTo = (key: RecordKey, last: RecordKey): boolean =>
  key.model < last.model || (key.model === last.model && key.id <= last.id)
