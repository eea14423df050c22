/** What a session's statements are told to, where somebody wants to know of them. */

/** A statement that was sent. */
export interface SentStatement {
  /** It was answered; what fails is never told. */
  answered(): void;
}

/** Told of every statement that was asked for; not of BEGIN, COMMIT and ROLLBACK. */
export interface StatementRecorder {
  sent(sql: string, parameters: readonly unknown[] | undefined): SentStatement;
  /** The same work, of whose statements it is known who asked, however late they are sent. */
  asking<T>(work: () => T): () => T;
}

/** Writes nothing down. */
export const NO_RECORDER: StatementRecorder & SentStatement = {
  sent: () => NO_RECORDER,
  asking: (work) => work,
  answered: () => undefined,
};
