/**
 * A short text that changes when a declaration changes. Equal code gives equal fingerprints on one runtime; another one
 * may print functions differently. Two declarations share one if they differ only in what their functions close over.
 * Pure.
 */

/** The fingerprint of any values: schemas, functions, plain data. */
export const fingerprintOf = (values: ReadonlyArray<unknown>): string => {
  const places = new Map<object, number>()
  const parts: Array<string> = []
  const add = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return void parts.push(`${typeof value} ${String(value)}`)
    const known = places.get(value)
    if (known !== undefined) return void parts.push(`again ${known}`)
    places.set(value, places.size)
    parts.push("{")
    for (const key of Reflect.ownKeys(value)) {
      parts.push(String(key))
      add(Reflect.getOwnPropertyDescriptor(value, key)?.value)
    }
    parts.push("}")
  }
  for (const value of values) add(value)
  return digest(parts.join("\n"))
}

/** Two lanes of FNV-1a with different beginnings, 64 bits together. */
const digest = (text: string): string => {
  let low = 0x811c9dc5
  let high = 0x01000193
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    low = Math.imul(low ^ unit, 0x01000193)
    high = Math.imul(high ^ unit, 0x85ebca6b)
  }
  return [low, high].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("")
}
