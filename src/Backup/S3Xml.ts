/** Reads the few elements of S3's answers that a store needs. Pure. The answers have no attributes on them, and no comments. */

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

const decoded = (text: string): string =>
  text.replaceAll(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return entities[name] ?? whole
    return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal))
  })

/** What is in each element of that name, in order: its text, or the elements in it as they are written. */
export const textsOf = (xml: string, element: string): ReadonlyArray<string> =>
  Array.from(xml.matchAll(new RegExp(`<${element}(?: [^>]*)?>([\\s\\S]*?)</${element}>`, "g")), ([, inside = ""]) =>
    inside.includes("<") ? inside : decoded(inside)
  )
