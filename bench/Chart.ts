/**
 * Draws bars as SVG: in each group one bar for each series, in each column one figure. A group has a scale of its own,
 * so that one client is as easy to see as many. It has its own background, and colours for light and dark. Pure.
 */

export interface Bar {
  readonly series: string
  readonly value: number
  readonly label: string
  readonly colour: string
}

export interface Column {
  readonly title: string
  readonly groups: ReadonlyArray<{ readonly name: string; readonly bars: ReadonlyArray<Bar> }>
}

const margin = 16
const titleHeight = 30
const headHeight = 24
const nameWidth = 92
const seriesWidth = 150
const barWidth = 190
const labelWidth = 80
const barHeight = 14
const barGap = 4
const groupGap = 14

const style = [
  "text{font:12px system-ui,sans-serif;fill:#1f2328}",
  ".title{font-weight:600;font-size:14px}",
  ".quiet{fill:#59636e}",
  ".ground{fill:#ffffff}",
  "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.ground{fill:#0d1117}}"
].join("")

/** All columns have the same groups and series; a value that is no number has no bar. */
export const chart = (title: string, columns: ReadonlyArray<Column>): string => {
  const [first] = columns
  const series = [
    ...new Set(columns.flatMap(({ groups }) => groups.flatMap(({ bars }) => bars.map((bar) => bar.series))))
  ]
  const columnWidth = barWidth + labelWidth
  const barsLeft = margin + nameWidth + seriesWidth
  const width = barsLeft + columns.length * columnWidth + margin
  const parts: Array<string> = []
  let top = margin + titleHeight + headHeight
  for (const [groupAt, group] of (first?.groups ?? []).entries()) {
    parts.push(text(margin, top + barHeight - 3, group.name))
    for (const name of series) {
      parts.push(text(margin + nameWidth, top + barHeight - 3, name, "quiet"))
      for (const [columnAt, column] of columns.entries()) {
        const bars = column.groups[groupAt]?.bars ?? []
        const bar = bars.find((each) => each.series === name)
        if (bar === undefined || !Number.isFinite(bar.value)) continue
        const most = Math.max(...bars.map(({ value }) => value).filter(Number.isFinite))
        const length = most > 0 ? (bar.value / most) * barWidth : 0
        const left = barsLeft + columnAt * columnWidth
        parts.push(
          `<rect x="${left}" y="${top}" width="${length.toFixed(1)}" height="${barHeight}" rx="2" fill="${bar.colour}"/>`,
          text(left + length + 6, top + barHeight - 3, bar.label)
        )
      }
      top += barHeight + barGap
    }
    top += groupGap
  }
  const height = top - groupGap + margin
  const heads = columns.map((column, at) =>
    text(barsLeft + at * columnWidth, margin + titleHeight + 8, column.title, "quiet")
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(title)}</title><style>${style}</style>`,
    `<rect class="ground" width="${width}" height="${height}" rx="6"/>`,
    text(margin, margin + 14, title, "title"),
    ...heads,
    ...parts,
    "</svg>\n"
  ].join("\n")
}

const text = (x: number, y: number, content: string, kind?: string): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${kind === undefined ? "" : ` class="${kind}"`}>${escape(content)}</text>`

const escape = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
