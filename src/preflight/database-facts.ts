export interface ColumnFacts {
  readonly name: string;
  /** As PostgreSQL writes it, with its limits: `character varying(20)`. */
  readonly type: string;
  /** Without limits, and of a domain what it is based on. */
  readonly base: string;
  /** PostgreSQL's letter for the kind of type: `S` is text of any sort. */
  readonly category: string;
  readonly nullable: boolean;
  readonly generated: boolean;
  readonly fills: boolean;
  readonly default: string | null;
}

export interface TriggerFacts {
  readonly name: string;
  readonly runs: string;
}

/** Something that has a name of the service's. */
export interface NameFacts {
  readonly name: string;
  /** As `ALTER … RENAME` has it. */
  readonly kind: string;
  /** As SQL writes it, with its schema. */
  readonly object: string;
  /** What an index or a constraint is of. */
  readonly table: string | null;
  readonly onMessages: boolean;
  /** Of an index, a constraint, or the arguments of a function. */
  readonly definition: string;
}

/** What stands under the name `messages`. Names are written so that they can be copied into SQL. */
export interface TableFacts {
  readonly name: string;
  readonly schema: string;
  readonly kind: 'table' | 'partitioned table' | 'view' | 'materialized view' | 'foreign table' | 'something else';
  readonly temporary: boolean;
  readonly unlogged: boolean;
  readonly isPartition: boolean;
  readonly children: readonly string[];
  /** Tables that inherit from it, at any depth, with what makes each index of the service that they lack. */
  readonly unindexedChildren: readonly { readonly name: string; readonly commands: readonly string[] }[];
  /** Columns of such tables alone that have names which the service adds to all of them. */
  readonly childColumns: readonly { readonly table: string; readonly name: string; readonly type: string }[];
  readonly owner: string;
  /** Whether this role may change the table as its owner. */
  readonly owned: boolean;
  /** Whether row policies decide what this role sees and changes. */
  readonly rowSecurity: boolean;
  readonly policies: readonly string[];
  /** Whether rows that may be read may be hidden from those who are to change them. */
  readonly hidesFromUpdate: boolean;
  readonly estimatedRows: number;
  readonly idIsUnique: boolean;
  readonly columns: readonly ColumnFacts[];
  /** Rules by the command that they change. */
  readonly rules: readonly { readonly name: string; readonly on: string }[];
  readonly triggers: readonly TriggerFacts[];
  readonly publications: readonly string[];
  /** Objects that keep PostgreSQL from changing the type of `id`. */
  readonly dependOnId: readonly string[];
  /** Columns of other tables whose type is a row of this one. */
  readonly rowTypeColumns: readonly string[];
}

/** What is in the rows of a table that is not the service's yet. */
export interface ContentFacts {
  /** The service's own columns that were there, and hold something. */
  readonly usedColumns: readonly string[];
  readonly hasUnknownStatus: boolean;
  /** Ids that JavaScript does not hold exactly. */
  readonly hasInexactIds: boolean;
  /** Unsent rows, counted to `MAX_UNSENT_COUNTED` at most. */
  readonly unsent: number;
}

export interface DatabaseFacts {
  readonly database: string;
  readonly role: string;
  /** Where a new table goes; null: nowhere. */
  readonly schema: string | null;
  readonly searchPath: readonly string[];
  readonly encoding: string;
  readonly mayCreate: boolean;
  readonly mayMakeTemporaryTables: boolean;
  /** The service's migrations that ran; null: this role may not read which. */
  readonly applied: readonly string[] | null;
  readonly table: TableFacts | null;
  readonly content: ContentFacts | null;
  /** Other tables `messages` in this database; `taken`: an installation of the service uses it. */
  readonly elsewhere: readonly { readonly name: string; readonly taken: boolean }[];
  /** What has names of the service's where its objects are, or are going to be. */
  readonly names: readonly NameFacts[];
  /** Tables of other schemas to which names of the service's lead. `hides`: the service's own one is there. */
  readonly otherTables: readonly { readonly name: string; readonly found: string; readonly hides: boolean }[];
  /** Whether the search path was set for this role or this connection: others look elsewhere. */
  readonly ownSearchPath: boolean;
  /** What ends statements and sessions of this role early, or keeps them from writing. */
  readonly limits: readonly { readonly name: string; readonly value: string }[];
  /** Rights that this role lacks on tables that are there, as `GRANT` takes them. */
  readonly missingRights: readonly { readonly rights: readonly string[]; readonly on: string }[];
}

export const MAX_UNSENT_COUNTED = 10_000;
