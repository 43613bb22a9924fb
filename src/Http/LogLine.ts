/** A line of JSON for a log: no text of a client in it can begin another line, steer a terminal, or turn the text around. */

/** Characters that JSON leaves as they are: controls, ends of lines, and formats, which hide text or turn its direction. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

const escapedUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`

/** Some of these characters take two units of UTF-16. */
const escaped = (character: string): string => character.split("").map(escapedUnit).join("")

/** The value as JSON in one line of text that can be seen. It reads back as what it was. */
export const logLine = (value: unknown, replacer?: (key: string, value: unknown) => unknown): string =>
  JSON.stringify(value, replacer).replaceAll(unseen, escaped)
