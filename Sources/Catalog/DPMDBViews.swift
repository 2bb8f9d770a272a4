/// Views under the names DPM's own database uses, so that an administrator's queries find what they look for.
///
/// Only columns seen in public documents, as far as a simulated installation has them. Ids are small integers where DPMDB
/// has GUIDs. Source: dpm-facts 9.
enum DPMDBViews {
    private static func moment(_ column: String) -> String {
        "datetime((SELECT start_date FROM run), (\(column) / 1000000000) || ' seconds')"
    }

    static let tables = """
        CREATE VIEW tbl_AM_Server AS
          SELECT id AS ServerId, name || '.' || domain AS ServerName, name AS NetbiosName FROM host
          UNION ALL SELECT id + 1000000, name || '.' || domain, name FROM server;
        CREATE VIEW tbl_DLS_GlobalSetting AS
          SELECT 'KnownVMMServer' AS PropertyName, known_vmm AS PropertyValue FROM server WHERE known_vmm <> ''
          UNION ALL SELECT 'DBRecovery', '0';
        CREATE VIEW tbl_IM_ProtectedGroup AS SELECT id AS ProtectedGroupId, name AS FriendlyName FROM protection_group;
        CREATE VIEW tbl_IM_DataSource AS
          SELECT id AS DataSourceId, name AS DataSourceName, host_id AS ServerId, group_id AS ProtectedGroupId
            FROM machine WHERE group_id IS NOT NULL;
        CREATE VIEW tbl_JM_JobTrail AS SELECT id AS JobId FROM job;
        CREATE VIEW tbl_TE_TaskTrail AS
          SELECT id AS TaskID, id AS JobID, kind AS VerbID, error AS ErrorCode, status AS LastStateName,
            \(moment("due_ns")) AS CreatedDateTime, \(moment("started_ns")) AS StartedDateTime,
            \(moment("ended_ns")) AS StoppedDateTime, 0 AS IsGCed FROM job;
        CREATE VIEW tbl_PRM_LogicalReplica AS
          SELECT machine_id AS DataSourceId, machine_id AS PhysicalReplicaId, CASE state WHEN 'OK' THEN 1 ELSE 2 END AS
            Validity FROM replica;
        CREATE VIEW tbl_PRM_ReplicaVolume AS SELECT machine_id AS ReplicaId, volume_id AS StorageId FROM replica;
        CREATE VIEW tbl_STM_Volume AS SELECT id AS StorageId, name AS AccessPath FROM pool_volume;
        CREATE VIEW tbl_MM_Media AS SELECT id AS MediaId, barcode AS Label, barcode AS BarcodeValue FROM cartridge;
        """

    static let reports = """
        CREATE VIEW Vw_DPM_Alerts AS
          SELECT id AS AlertId, number AS AlertNumber, severity AS Severity, object AS AffectedObject, cause AS Cause,
            \(moment("raised_ns")) AS OccurredSince, \(moment("resolved_ns")) AS ResolvedTime FROM alert;
        CREATE VIEW Vw_DPM_ProtectedGroup AS
          SELECT id AS ProtectedGroupId, name AS ProtectedGroupName, members AS Members FROM protection_group;
        CREATE VIEW Vw_DPM_ProtectedDataSource AS
          SELECT m.id AS DataSourceId, m.name AS DataSourceName, g.name AS ProtectedGroupName, h.name AS ServerName
            FROM machine m JOIN protection_group g ON g.id = m.group_id JOIN host h ON h.id = m.host_id;
        CREATE VIEW Vw_DPM_Replica AS
          SELECT r.machine_id AS DataSourceId, m.name AS DataSourceName, r.state AS State FROM replica r
            JOIN machine m ON m.id = r.machine_id;
        CREATE VIEW Vw_DPM_Disk_Usage_Replica AS
          SELECT m.name AS DataSourceName, g.name AS PGName, r.replica_bytes AS ReplicaUsedSpace,
            r.point_bytes AS RecoveryPointUsedSpace FROM replica r JOIN machine m ON m.id = r.machine_id
            JOIN protection_group g ON g.id = r.group_id;
        CREATE VIEW Vw_DPM_DiskRecoveryPoints AS
          SELECT m.name AS DataSourceName, \(moment("p.at_ns")) AS CreationTime, p.unique_bytes AS UniqueBytes
            FROM recovery_point p JOIN machine m ON m.id = p.machine_id;
        CREATE VIEW Vw_DPM_Media AS
          SELECT c.barcode AS MediaLabel, c.barcode AS MediaBarcode, l.name AS LibraryName,
            \(moment("c.last_expiry_ns")) AS MediaExpiryDate FROM cartridge c JOIN library l ON l.id = c.library_id;
        CREATE VIEW Vw_DPM_MediaPool_Media AS
          SELECT sum(state = 'Free') AS FreeMedia,
            (SELECT CAST(value AS INTEGER) FROM tuning WHERE key = 'free-tape-threshold') AS FreeMediaThreshold
            FROM cartridge;
        CREATE VIEW Vw_DPM_Total_Disk_Trend AS
          SELECT \(moment("at_ns")) AS StartDateTime, sum(used) AS DiskSpaceUsed FROM pool_level GROUP BY at_ns;
        CREATE VIEW Vw_DPM_Server AS SELECT id AS ServerId, name AS ServerName FROM server;
        """
}
