export { type Clock, systemClock, type Timer, until } from "../../base/clock.ts";
