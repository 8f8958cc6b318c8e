import type { TestDatabase } from './test-database.js';

/**
 * Notes, at the moment in which a job is done, each message that it still claims and of which nothing is kept: its outcome would
 * come from nobody. The service has no part in it.
 */
export async function watchDoneJobs(database: TestDatabase): Promise<{ leftClaimed(): Promise<unknown[]> }> {
  await database.query(`
    CREATE TABLE left_claimed (job_id BIGINT, message_id BIGINT);
    CREATE FUNCTION note_left_claimed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO left_claimed SELECT new.id, id FROM messages
      WHERE claimed_by = new.id AND sent_status = FALSE AND parked_as IS NULL
        AND NOT EXISTS (SELECT FROM unwritten_outcomes WHERE message_id = messages.id);
      RETURN NULL;
    END $$;
    CREATE TRIGGER note_left_claimed AFTER UPDATE ON dispatch_jobs FOR EACH ROW
      WHEN (new.state = 'done' AND old.state <> 'done') EXECUTE FUNCTION note_left_claimed()`);
  return { leftClaimed: async () => await database.query('SELECT * FROM left_claimed') };
}
