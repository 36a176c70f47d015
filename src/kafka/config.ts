/** Configuration of the Kafka connection, shared by bridge, producer and commands. */
import { z } from 'zod';

const sasl = z.discriminatedUnion('mechanism', [
  z.strictObject({
    mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
    username: z.string(),
    password: z.string(),
  }),
  z.strictObject({
    mechanism: z.literal('aws'),
    authorizationIdentity: z.string(),
    accessKeyId: z.string(),
    secretAccessKey: z.string(),
    sessionToken: z.string().optional(),
  }),
]);

const tls = z.strictObject({
  ca: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
  servername: z.string().optional(),
  rejectUnauthorized: z.boolean().optional(),
});

export const kafkaConfig = z.strictObject({
  brokers: z.array(z.string().min(1)).min(1).default(['127.0.0.1:9092']).describe('Bootstrap brokers, host:port.'),
  groupId: z.string().min(1).default('sluice').describe('Consumer group of the bridges.'),
  clientId: z.string().min(1).default('sluice').describe('Name shown in broker logs and quotas.'),
  ssl: z.union([z.boolean(), tls]).default(false).describe('TLS: true, or certificates as PEM text.'),
  sasl: sasl.optional().describe('SASL mechanism and credentials.'),
  sessionTimeoutMs: z
    .int()
    .min(1_000)
    .max(300_000)
    .default(10_000)
    .describe('A silent bridge loses its partitions after this.'),
});
export type KafkaConfig = z.infer<typeof kafkaConfig>;
