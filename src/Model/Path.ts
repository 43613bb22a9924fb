/** The path of a model in URLs: its name in kebab case, plural. Pure. docs/http.md, "Endpoints". */

/** `User` → `users`, `ProductView` → `product-views`, `Category` → `categories`. An irregular plural takes the `path` option. */
export const pathOfName = (name: string): string => {
  const kebab = kebabOf(name)
  if (/[^aeiou]y$/.test(kebab)) return `${kebab.slice(0, -1)}ies`
  return /(s|x|z|ch|sh)$/.test(kebab) ? `${kebab}es` : `${kebab}s`
}

/** `ProductView` → `product-view`. */
export const kebabOf = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1-$2")
    .toLowerCase()
