export { type Clock, systemClock, type Timer, until } from "../time/clock.ts";
