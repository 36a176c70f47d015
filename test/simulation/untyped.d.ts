/** Inside kafkajs 2.2.4, for cluster.ts alone. */
declare module 'kafkajs/src/cluster/index.js' {
  const cluster: { readonly prototype: Record<string, unknown> };
  export default cluster;
}
