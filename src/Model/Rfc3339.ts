/**
 * Reads dates as text: RFC 3339 with a time zone, in the years 0000 to 9999 (§5.6, §5.7). A zoned time may end with the
 * name of its zone in brackets (RFC 9557 §4.1). Pure, and equal on every runtime. `Date` accepts more, differently in
 * each engine, and reads a text without a zone as another instant on each server.
 */

const written =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))(\[[A-Za-z0-9._/+-]{1,64}\])?$/

/** 0000-01-01T00:00:00Z, and the last millisecond of the year 9999. */
export const instantMinMs = -62_167_219_200_000
export const instantMaxMs = 253_402_300_799_999

/** A date: the instant in ms since 1970, without fractions of a ms; the text in its normal form; the zone that it names. */
interface Read {
  readonly ms: number
  readonly normal: string
  readonly zone: string | undefined
}

const dayMs = 86_400_000

/** Reads a text. Undefined if it is no date, names a day that no calendar has, or is outside of the years. */
export const read = (text: string): Read | undefined => {
  const match = written.exec(text)
  if (match === null) return undefined
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second,
    fraction = "",
    utc,
    sign,
    offsetHour = "0",
    offsetMinute = "0",
    zone
  ] = match
  const [y, m, d] = [Number(year), Number(month), Number(day)]
  if (m < 1 || m > 12 || d < 1 || d > daysOf(y, m)) return undefined
  // No program can hold a leap second.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined
  const millis = fraction.slice(0, 3).padEnd(3, "0")
  const timeMs = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1_000 + Number(millis)
  const offsetMs = (sign === "-" ? -1 : 1) * (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000
  const ms = daysBefore(y, m, d) * dayMs + timeMs - offsetMs
  if (ms < instantMinMs || ms > instantMaxMs) return undefined
  const offset = utc === undefined ? `${sign}${offsetHour}:${offsetMinute}` : "Z"
  return { ms, normal: `${year}-${month}-${day}T${hour}:${minute}:${second}.${millis}${offset}`, zone }
}

const daysOf = (year: number, month: number): number => {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March. */
const daysBefore = (year: number, month: number, day: number): number => {
  const y = month <= 2 ? year - 1 : year
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468
}

/** Years with more than four digits, as `Date` writes them. Earlier releases accepted them. */
const farYear = /^([+-]\d{6})-(\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z$/

/** The instant of a stored date, in ms since 1970. Undefined if the text is no date. */
export const instantOf = (text: string): number | undefined => {
  const found = read(text)
  if (found !== undefined) return found.ms
  const [, year, rest = ""] = farYear.exec(text) ?? []
  if (year === undefined) return undefined
  // 400 years repeat the calendar.
  const cycles = Math.floor(Number(year) / 400)
  const within = read(`${String(Number(year) - cycles * 400).padStart(4, "0")}-${rest}Z`)
  return within === undefined ? undefined : within.ms + cycles * 146_097 * dayMs
}
