/** The statements of the routes without an ORM, with `:name` placeholders. */

export const SELECT = 'SELECT id, owner, balance FROM account WHERE id = :id';
export const UPDATE = 'UPDATE account SET balance = :balance WHERE id = :id';
export const INSERT = 'INSERT INTO entry (accountId, cents) VALUES (:id, -1)';
