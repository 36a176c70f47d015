/** Configuration of the dashboard. */
import { z } from 'zod';

export const dashboardConfig = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether `sluice up` serves it.'),
  host: z.enum(['127.0.0.1', '::1', 'localhost']).default('127.0.0.1').describe('Address to listen on; loopback only.'),
  port: z.int().min(0).max(65_535).default(7465).describe('Port to listen on; 0 takes a free one.'),
});
export type DashboardConfig = z.infer<typeof dashboardConfig>;
