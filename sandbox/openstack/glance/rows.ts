// What Glance's table holds. Properties that users add are kept apart from Glance's own.

export type ImageRow = {
  readonly id: string;
  readonly name: string | null;
  readonly status: 'queued' | 'saving' | 'active' | 'deactivated';
  readonly visibility: 'public' | 'private' | 'shared' | 'community';
  readonly owner: string;
  readonly disk_format: string | null;
  readonly container_format: string | null;
  readonly size: number | null;
  readonly virtual_size: number | null;
  readonly checksum: string | null;
  readonly os_hash_algo: string | null;
  readonly os_hash_value: string | null;
  readonly protected: boolean;
  readonly os_hidden: boolean;
  readonly min_ram: number;
  readonly min_disk: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly tags: readonly string[];
  /** Projects that it is shared with, while it is `shared`. */
  readonly members?: readonly MemberRow[];
  readonly properties: Readonly<Record<string, unknown>>;
};

export type MemberRow = {
  readonly member_id: string;
  readonly status: 'pending' | 'accepted' | 'rejected';
  readonly created_at: string;
  readonly updated_at: string;
};
