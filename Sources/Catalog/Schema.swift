/// The tables of an archive. Times are nanoseconds since the start of the run; `run.start_date` says which day that was.
enum Schema {
    /// `dpms` in the header's application id, by which an archive is known.
    static let applicationID: Int32 = 0x6470_6D73
    static let version: Int32 = 2

    /// What was put in: the world as the scenario describes it. Ids are places in the scenario's lists.
    static let inputs = """
        CREATE TABLE run(
          id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, version TEXT NOT NULL, arguments TEXT NOT NULL,
          seed TEXT NOT NULL, start_date TEXT NOT NULL, duration_ns INTEGER NOT NULL, setting_text TEXT NOT NULL,
          state TEXT NOT NULL, ended_as TEXT, finished_ns INTEGER, event_count INTEGER, transfer_count INTEGER,
          trace_hash TEXT, tape_mounts INTEGER, back_hitches INTEGER, cartridges_written INTEGER) STRICT;
        CREATE TABLE tuning(key TEXT PRIMARY KEY, value TEXT NOT NULL, is_default INTEGER NOT NULL) STRICT;
        CREATE TABLE server(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, domain TEXT NOT NULL, site TEXT NOT NULL, version TEXT NOT NULL,
          nic_rate INTEGER NOT NULL, known_vmm TEXT NOT NULL) STRICT;
        CREATE TABLE pool_volume(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, server_id INTEGER NOT NULL, kind TEXT NOT NULL,
          capacity INTEGER NOT NULL, read_rate INTEGER NOT NULL, write_rate INTEGER NOT NULL) STRICT;
        CREATE TABLE library(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, server_id INTEGER NOT NULL, slots INTEGER NOT NULL,
          robots INTEGER NOT NULL, is_standalone INTEGER NOT NULL) STRICT;
        CREATE TABLE drive(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, library_id INTEGER NOT NULL, generation TEXT NOT NULL) STRICT;
        CREATE TABLE vmm_server(id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
        CREATE TABLE cluster(id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
        CREATE TABLE host(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, domain TEXT NOT NULL, site TEXT NOT NULL, cluster_id INTEGER,
          windows TEXT NOT NULL, nic_rate INTEGER NOT NULL) STRICT;
        CREATE TABLE volume(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, capacity INTEGER NOT NULL,
          read_rate INTEGER NOT NULL, write_rate INTEGER NOT NULL, vss_provider TEXT NOT NULL) STRICT;
        CREATE TABLE machine(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, host_id INTEGER NOT NULL, group_id INTEGER, size INTEGER NOT NULL,
          used INTEGER NOT NULL, churn_per_day INTEGER NOT NULL, guest TEXT NOT NULL, level TEXT NOT NULL) STRICT;
        CREATE TABLE protection_group(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, server_id INTEGER NOT NULL, members INTEGER NOT NULL,
          retention_days INTEGER, is_colocated INTEGER NOT NULL) STRICT;
        """

    /// What happened.
    static let happenings = """
        CREATE TABLE job(
          id INTEGER PRIMARY KEY, kind TEXT NOT NULL, status TEXT NOT NULL, error INTEGER NOT NULL, machine_id INTEGER,
          group_id INTEGER, server_id INTEGER, attempt INTEGER NOT NULL, due_ns INTEGER NOT NULL, started_ns INTEGER,
          transfer_started_ns INTEGER, transfer_ended_ns INTEGER, ended_ns INTEGER, changed INTEGER NOT NULL,
          sent INTEGER NOT NULL, stored INTEGER NOT NULL, downtime_ns INTEGER NOT NULL) STRICT;
        CREATE TABLE alert(
          id INTEGER PRIMARY KEY, number INTEGER NOT NULL, severity TEXT NOT NULL, object TEXT NOT NULL,
          cause TEXT NOT NULL, raised_ns INTEGER NOT NULL, resolved_ns INTEGER) STRICT;
        CREATE TABLE missed_point(
          id INTEGER PRIMARY KEY, machine_id INTEGER NOT NULL, due_ns INTEGER NOT NULL, error INTEGER NOT NULL,
          cause TEXT NOT NULL) STRICT;
        CREATE TABLE incident(
          id INTEGER PRIMARY KEY, title TEXT NOT NULL, object TEXT NOT NULL, at_ns INTEGER NOT NULL, ended_ns INTEGER,
          machines INTEGER NOT NULL, broken_jobs INTEGER NOT NULL, checks INTEGER NOT NULL,
          checked_bytes INTEGER NOT NULL) STRICT;
        CREATE TABLE replica_change(
          id INTEGER PRIMARY KEY, machine_id INTEGER NOT NULL, at_ns INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
        CREATE TABLE machine_move(
          id INTEGER PRIMARY KEY, machine_id INTEGER NOT NULL, at_ns INTEGER NOT NULL, host_id INTEGER NOT NULL) STRICT;
        CREATE TABLE recovery(
          id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL, machine_id INTEGER NOT NULL, server_id INTEGER NOT NULL,
          asked_ns INTEGER NOT NULL, point_ns INTEGER, source TEXT NOT NULL, what TEXT NOT NULL, destination TEXT NOT NULL,
          tapes TEXT NOT NULL, status TEXT NOT NULL, error INTEGER NOT NULL, cause TEXT NOT NULL, began_ns INTEGER,
          ended_ns INTEGER, bytes INTEGER NOT NULL, highly_available INTEGER NOT NULL, remarks TEXT NOT NULL) STRICT;
        CREATE TABLE refusal(
          id INTEGER PRIMARY KEY, number INTEGER NOT NULL, rule TEXT NOT NULL, object TEXT NOT NULL, cause TEXT NOT NULL,
          action TEXT NOT NULL) STRICT;
        CREATE TABLE audit(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, left_total INTEGER NOT NULL, right_total INTEGER NOT NULL) STRICT;
        """

    /// What is kept when the run ends, and how resources were used.
    static let keepings = """
        CREATE TABLE replica(
          machine_id INTEGER NOT NULL, group_id INTEGER NOT NULL, volume_id INTEGER NOT NULL, state TEXT NOT NULL,
          replica_bytes INTEGER NOT NULL, point_bytes INTEGER NOT NULL, point_count INTEGER NOT NULL) STRICT;
        CREATE TABLE recovery_point(
          id INTEGER PRIMARY KEY, machine_id INTEGER NOT NULL, at_ns INTEGER NOT NULL, consistency TEXT NOT NULL,
          unique_bytes INTEGER NOT NULL) STRICT;
        CREATE TABLE cartridge(
          id INTEGER PRIMARY KEY, barcode TEXT NOT NULL, library_id INTEGER NOT NULL, state TEXT NOT NULL,
          written INTEGER NOT NULL, capacity INTEGER NOT NULL, sets INTEGER NOT NULL, last_expiry_ns INTEGER,
          mounts INTEGER NOT NULL) STRICT;
        CREATE TABLE pool_level(
          at_ns INTEGER NOT NULL, volume_id INTEGER NOT NULL, used INTEGER NOT NULL,
          PRIMARY KEY (at_ns, volume_id)) STRICT, WITHOUT ROWID;
        CREATE TABLE tape_level(
          at_ns INTEGER NOT NULL, state TEXT NOT NULL, cartridges INTEGER NOT NULL,
          PRIMARY KEY (at_ns, state)) STRICT, WITHOUT ROWID;
        CREATE TABLE resource(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, capacity REAL NOT NULL, carried REAL NOT NULL,
          bound_seconds REAL NOT NULL) STRICT;
        CREATE TABLE resource_hour(
          resource_id INTEGER NOT NULL, hour_of_week INTEGER NOT NULL, share REAL NOT NULL,
          PRIMARY KEY (resource_id, hour_of_week)) STRICT, WITHOUT ROWID;
        """

    /// Made when all rows are in: building an index once costs a third of keeping it.
    static let indices = """
        CREATE INDEX job_machine ON job(machine_id, due_ns);
        CREATE INDEX recovery_point_machine ON recovery_point(machine_id, at_ns);
        """

    /// Each job's steps as rows: waiting, preparing, transferring, concluding.
    static let stepView = """
        CREATE VIEW job_step AS
          SELECT id AS job_id, 1 AS number, 'Waiting' AS step, due_ns AS began_ns, coalesce(started_ns, ended_ns) AS ended_ns
            FROM job
          UNION ALL SELECT id, 2, 'Preparing', started_ns, coalesce(transfer_started_ns, ended_ns)
            FROM job WHERE started_ns IS NOT NULL
          UNION ALL SELECT id, 3, 'Transferring', transfer_started_ns, coalesce(transfer_ended_ns, ended_ns)
            FROM job WHERE transfer_started_ns IS NOT NULL
          UNION ALL SELECT id, 4, 'Concluding', transfer_ended_ns, ended_ns
            FROM job WHERE transfer_ended_ns IS NOT NULL;
        """
}
