// A process's metrics in Prometheus' text format: Node's own, and what parts register.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string | number>>;

export type Metrics = {
  readonly registry: Registry;
  /** A count that only grows. Asking twice for a name gives the same one. */
  counter(name: string, help: string, labels: readonly string[]): { inc(labels: Labels, by?: number): void };
  /** A value that goes up and down. */
  gauge(name: string, help: string, labels: readonly string[]): { set(labels: Labels, value: number): void };
  /** How long things take, in seconds. */
  histogram(
    name: string,
    help: string,
    labels: readonly string[],
  ): { observe(labels: Labels, seconds: number): void };
};

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Metrics of one process; every line carries the service's name. */
export function createMetrics(service: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  const once = <T>(name: string, make: () => T): T =>
    (registry.getSingleMetric(name) as T | undefined) ?? make();
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    counter: (name, help, labels) => {
      const metric = once(name, () => new Counter({ name, help, labelNames: labels, registers: [registry] }));
      return { inc: (values, by = 1) => metric.inc(values, by) };
    },
    gauge: (name, help, labels) => {
      const metric = once(name, () => new Gauge({ name, help, labelNames: labels, registers: [registry] }));
      return { set: (values, value) => metric.set(values, value) };
    },
    histogram: (name, help, labels) => {
      const make = () =>
        new Histogram({ name, help, labelNames: labels, buckets: SECONDS, registers: [registry] });
      const metric = once(name, make);
      return { observe: (values, seconds) => metric.observe(values, seconds) };
    },
  };
}
