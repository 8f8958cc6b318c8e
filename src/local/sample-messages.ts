/** What a just-created local database starts with. The numbers are made up. */
export const SAMPLE_MESSAGES: readonly { readonly recipient_phone: string; readonly content: string }[] = [
  { recipient_phone: '+905550000001', content: 'Hello! This is the first sample message of your local dispatcher.' },
  { recipient_phone: '+905550000002', content: 'Two messages leave per job, so this one travels with the first.' },
  { recipient_phone: '+905550000003', content: 'Third in line: I go out in the next slot.' },
  { recipient_phone: '+905550000004', content: 'Emoji count as one character each 🎉' },
  { recipient_phone: '+905550000005', content: 'Last sample. Add your own with one curl; the log shows how.' },
];
