//! The IAM action that permits an event of CloudTrail.
//!
//! Mostly `prefix:eventName`. Exceptions: Service Authorization Reference (prefixes), Amazon S3
//! user guide, "Required permissions for Amazon S3 API operations", API Gateway developer guide,
//! "Actions" (the verbs of HTTP).

/// `lambda.amazonaws.com` and `ListFunctions20150331` as `lambda:ListFunctions`.
pub(super) fn of(source: &str, name: &str) -> String {
    let prefix = match source.strip_suffix(".amazonaws.com").unwrap_or(source) {
        "monitoring" => "cloudwatch",
        "tagging" => "tag",
        "streams.dynamodb" => "dynamodb",
        "models.lex" | "runtime.lex" => "lex",
        "appstream2" => "appstream",
        "mturk-requester" => "mechanicalturk",
        "email" => "ses",
        "pinpoint" => "mobiletargeting",
        "cloudhsmv2" => "cloudhsm",
        "cloudsearchdomain" => "cloudsearch",
        "api.pricing" => "pricing",
        "metering.marketplace" | "metering-marketplace" | "entitlement.marketplace" => "aws-marketplace",
        "data.iot" | "data.jobs.iot" => "iot",
        "data.mediastore" => "mediastore",
        "runtime.sagemaker" => "sagemaker",
        // Three services share an endpoint; what is called the same stays with the first.
        "autoscaling" if name.contains("ScalingPlan") => "autoscaling-plans",
        "autoscaling" if APPLICATION_SCALING.contains(&name) => "application-autoscaling",
        other => other,
    };
    let name = match prefix {
        "budgets" => budget(name),
        "cloudsearch" if name == "UploadDocuments" => "Document",
        "cloudfront" if name == "CreateDistributionWithTags" => "CreateDistribution",
        "s3" => s3(name),
        "apigateway" => verb(name),
        "lambda" if matches!(name, "Invoke" | "Invoke20150331") => "InvokeFunction",
        _ => versionless(name),
    };
    format!("{prefix}:{name}")
}

/// What only Application Auto Scaling has.
const APPLICATION_SCALING: [&str; 6] = [
    "DeleteScalingPolicy",
    "DeregisterScalableTarget",
    "DescribeScalableTargets",
    "DescribeScalingPolicies",
    "PutScheduledAction",
    "RegisterScalableTarget",
];

/// Budgets are permitted as a whole, their actions and tags one by one.
fn budget(name: &str) -> &str {
    if name.contains("BudgetAction") || name.contains("Resource") {
        name
    } else if name.starts_with("Describe") {
        "ViewBudget"
    } else {
        "ModifyBudget"
    }
}

/// `ListFunctions20150331` without the API version that Lambda and CloudFront append.
fn versionless(name: &str) -> &str {
    let trimmed =
        name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '_' || letter == 'v');
    let cut = name.len() - trimmed.len();
    if cut >= 8 { trimmed } else { name }
}

fn s3(name: &str) -> &str {
    match name {
        "ListBuckets" => "ListAllMyBuckets",
        "ListObjects" | "ListObjectsV2" | "HeadBucket" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        "ListParts" => "ListMultipartUploadParts",
        "HeadObject" | "SelectObjectContent" => "GetObject",
        "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => "PutObject",
        "DeleteObjects" => "DeleteObject",
        "GetBucketCors" => "GetBucketCORS",
        "PutBucketCors" | "DeleteBucketCors" => "PutBucketCORS",
        "GetBucketEncryption" => "GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "PutEncryptionConfiguration",
        "GetBucketLifecycle" | "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
        "PutBucketLifecycle" | "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => {
            "PutLifecycleConfiguration"
        }
        "GetBucketReplication" => "GetReplicationConfiguration",
        "PutBucketReplication" | "DeleteBucketReplication" => "PutReplicationConfiguration",
        "GetBucketAccelerate" | "GetBucketAccelerateConfiguration" => "GetAccelerateConfiguration",
        "PutBucketAccelerate" | "PutBucketAccelerateConfiguration" => "PutAccelerateConfiguration",
        "GetBucketNotificationConfiguration" => "GetBucketNotification",
        "PutBucketNotificationConfiguration" => "PutBucketNotification",
        "DeleteBucketTagging" => "PutBucketTagging",
        "DeleteBucketOwnershipControls" => "PutBucketOwnershipControls",
        "GetPublicAccessBlock" => "GetBucketPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" | "DeleteBucketPublicAccessBlock" => {
            "PutBucketPublicAccessBlock"
        }
        "GetObjectLockConfiguration" => "GetBucketObjectLockConfiguration",
        "PutObjectLockConfiguration" => "PutBucketObjectLockConfiguration",
        name => name,
    }
}

/// API Gateway is permitted by HTTP verb; its names of operations begin with what they do.
fn verb(name: &str) -> &'static str {
    let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if begins(&["Get"]) {
        "GET"
    } else if begins(&["Update"]) {
        "PATCH"
    } else if begins(&["Put", "TagResource"]) {
        "PUT"
    } else if begins(&["Delete", "Flush", "UntagResource"]) {
        "DELETE"
    } else {
        "POST"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expectations of TrailScraper's tests (flosell/trailscraper, Apache-2.0,
    /// `record_test.py`), and where ours differ, why.
    #[test]
    fn events_are_the_actions_that_trailscraper_expects() {
        for (source, name, expected) in [
            (
                "autoscaling.amazonaws.com",
                "DescribeLaunchConfigurations",
                "autoscaling:DescribeLaunchConfigurations",
            ),
            ("monitoring.amazonaws.com", "DescribeLogStreams", "cloudwatch:DescribeLogStreams"),
            ("lambda", "ListVersionsByFunction20150331", "lambda:ListVersionsByFunction"),
            ("lambda", "GetFunctionConfiguration20150331v2", "lambda:GetFunctionConfiguration"),
            ("cloudfront", "UpdateDistribution2016_11_25", "cloudfront:UpdateDistribution"),
            ("apigateway.amazonaws.com", "CreateRestApi", "apigateway:POST"),
            ("apigateway.amazonaws.com", "UpdateMethod", "apigateway:PATCH"),
            ("unknown.amazonaws.com", "something", "unknown:something"),
            ("s3", "PutBucketCors", "s3:PutBucketCORS"),
            ("s3", "DeleteBucketCors", "s3:PutBucketCORS"),
            // They make no statement of it, as it needs no permission; it is a call all the same.
            ("sts.amazonaws.com", "GetCallerIdentity", "sts:GetCallerIdentity"),
        ] {
            assert_eq!(of(source, name), expected, "{source} {name}");
        }
    }
}
