/** What may name a request: one rule for a header, the client, and a node's own code. Pure. docs/http.md, "Idempotency keys". */

/** The longest key taken: each is remembered for a day, on every node. */
export const keyLengthMax = 255

/** What is said of a key that is none. */
export const noKey = `A key is 1 to ${keyLengthMax} visible ASCII characters`

/** Whether a text can name a request. Keys of the library's own that no client may send have a space in them. */
export const isKey = (text: string): boolean => text.length <= keyLengthMax && /^[\x21-\x7e]+$/.test(text)
