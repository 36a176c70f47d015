// Written by `sluice types` from the .proto files; changes are overwritten.
import 'sluice';

declare module 'sluice' {
  interface Messages {
    'acme.notify.v1.SendNotification': {
      userId: bigint;
      channel: 'CHANNEL_UNSPECIFIED' | 'CHANNEL_EMAIL' | 'CHANNEL_PUSH';
      address: string;
      subject: string;
      text: string;
    };
    'acme.web.v1.PageView': {
      eventId: string;
      userId: string;
      sessionId: string;
      url: string;
      title: string;
      referrer: string;
      userAgent: string;
      address: string;
      occurredAt?: string;
      method: string;
      status: number;
      bytes: bigint;
    };
  }
}
