// Numbers as people read them.

/** Holds a number and its unit together. */
export const NARROW = '\u00a0'

/** A share as 94.2 %; near 0 and 1 with the digits that tell it from them. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return '–'
  const distance = Math.min(share, 1 - share)
  const digits = distance > 0 && distance < 0.0005 ? Math.min(6, Math.ceil(-Math.log10(distance)) - 1) : 1
  return `${(100 * share).toFixed(digits)}${NARROW}%`
}

/** 12345 as 12,345. */
export const count = (value: number): string => value.toLocaleString('en')

/** Four digits that matter. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6)) return value.toExponential(2)
  return Math.abs(value) >= 1000 ? count(Math.round(value)) : String(Number(value.toPrecision(4)))
}

/** Seconds as 48 s, 6 min 12 s, 2 h 5 min. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`
}

/** 1 picture, 2 pictures. */
export const plural = (n: number, one: string): string => `${count(n)} ${one}${n === 1 ? '' : 's'}`
