/** The default size of a page, and the largest, in records or states. It has a file of its own for clients in browsers. */
export const limitDefault = 50
export const limitMax = 1_000
