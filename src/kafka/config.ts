/** Configuration of the Kafka connection, shared by bridge, producer and commands. */
import { z } from 'zod';

const sasl = z.discriminatedUnion('mechanism', [
  z.strictObject({
    mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('How to log in.'),
    username: z.string().describe('User, for plain and scram.'),
    password: z.string().describe('Password, for plain and scram.'),
  }),
  z.strictObject({
    mechanism: z.literal('aws').describe('How to log in.'),
    authorizationIdentity: z.string().describe('For aws: the identity, such as `aws:userid`.'),
    accessKeyId: z.string().describe('For aws.'),
    secretAccessKey: z.string().describe('For aws.'),
    sessionToken: z.string().optional().describe('For aws.'),
  }),
]);

const tls = z.strictObject({
  ca: z.string().optional().describe('Certificates of the authorities that are trusted, as PEM text.'),
  cert: z.string().optional().describe('Certificate of this client, as PEM text.'),
  key: z.string().optional().describe('Private key of this client, as PEM text.'),
  servername: z.string().optional().describe('Name that the certificates of the brokers are checked against.'),
  rejectUnauthorized: z.boolean().optional().describe('false: any certificate will do, which is no protection.'),
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
