use std::env;
use std::time::Duration;

use futures_util::future::try_join_all;
use payload_tracker::dev::broker::Broker;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The run's one broker. It ends with the process.
static SHARED: OnceCell<Cluster> = OnceCell::const_new();

enum Cluster {
    Embedded(Broker),
    /// Named by `TEST_KAFKA_BOOTSTRAP_SERVERS`, never by production's variable.
    External(String),
}

impl Cluster {
    fn start() -> Self {
        match env::var("TEST_KAFKA_BOOTSTRAP_SERVERS") {
            Ok(bootstrap) if !bootstrap.is_empty() => Self::External(bootstrap),
            _ => Self::Embedded(Broker::start(0).unwrap()),
        }
    }

    fn topic(&'static self) -> TestKafka {
        match self {
            Self::Embedded(broker) => TestKafka::new(broker.bootstrap(), Some(broker)),
            Self::External(bootstrap) => TestKafka::at(bootstrap.clone()),
        }
    }
}

/// The run's broker, and names nobody else uses. The topic is not made yet.
pub async fn kafka() -> TestKafka {
    let cluster = SHARED.get_or_init(|| async { Cluster::start() }).await;
    cluster.topic()
}

/// A topic and a group of the test's own.
pub struct TestKafka {
    pub bootstrap: String,
    pub topic: String,
    pub group: String,
    /// None where it is Apache Kafka.
    embedded: Option<&'static Broker>,
}

impl TestKafka {
    /// Of an Apache Kafka that is reached there.
    pub fn at(bootstrap: String) -> Self {
        Self::new(bootstrap, None)
    }

    fn new(bootstrap: String, embedded: Option<&'static Broker>) -> Self {
        let unique = Uuid::new_v4().simple();
        Self {
            bootstrap,
            topic: format!("it-{unique}"),
            group: format!("group-{unique}"),
            embedded,
        }
    }

    /// Makes the topic.
    pub async fn create_topic(&self, partitions: u16) {
        match self.embedded {
            Some(broker) => broker.create_topic(&self.topic, partitions).unwrap(),
            None => self.create_topic_as_admin(partitions).await,
        }
    }

    /// Sends the values and waits until the broker has them all. Without a partition the values spread.
    pub async fn send(&self, partition: Option<i32>, payloads: impl IntoIterator<Item = Vec<u8>>) {
        let producer: FutureProducer = self.client().set("linger.ms", "5").create().unwrap();
        let send_one = |payload: Vec<u8>| {
            let producer = &producer;
            async move {
                let mut record = FutureRecord::<(), _>::to(&self.topic).payload(&payload);
                record.partition = partition;
                producer.send(record, Duration::from_secs(30)).await
            }
        };
        try_join_all(payloads.into_iter().map(send_one))
            .await
            .unwrap_or_else(|(error, _)| panic!("sending to {}: {error}", self.topic));
    }

    /// What a client of the test's own starts from.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// What a program is told in order to find it, as its environment. It reads from the earliest message.
    pub fn env(&self) -> Vec<(String, String)> {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            own("KAFKA_BOOTSTRAP_SERVERS", &self.bootstrap),
            own("KAFKA_GROUP_ID", &self.group),
            own("TOPIC_PAYLOAD_STATUS", &self.topic),
            own("KAFKA_AUTO_OFFSET_RESET", "earliest"),
        ]
    }

    /// Has the broker forget the beginning of a partition and answers the first offset it still holds. The embedded
    /// one has done so by itself where it was sent more than its 5 MiB.
    pub async fn forget_beginning(&self, partition: i32, messages: i64) -> i64 {
        if self.embedded.is_none() {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&self.topic, partition, Offset::Offset(messages))
                .unwrap();
            let admin = self.admin();
            let done = admin.delete_records(&list, &AdminOptions::new());
            done.await.unwrap();
        }
        let client: BaseConsumer = self.client().create().unwrap();
        let ends = client.fetch_watermarks(&self.topic, partition, Duration::from_secs(10));
        ends.unwrap().0
    }

    /// Gives the topic more partitions; Apache Kafka only.
    pub async fn grow_topic(&self, partitions: usize) {
        let grown = NewPartitions::new(&self.topic, partitions);
        let admin = self.admin();
        let answers = admin.create_partitions([&grown], &AdminOptions::new());
        for answer in answers.await.unwrap() {
            answer.unwrap();
        }
    }

    /// Deletes the topic and all that was in it; Apache Kafka only.
    pub async fn delete_topic(&self) {
        let admin = self.admin();
        let answers = admin.delete_topics(&[&self.topic], &AdminOptions::new());
        for answer in answers.await.unwrap() {
            answer.unwrap();
        }
    }

    /// It must outlive its questions: an answer that comes after its end is never heard.
    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    async fn create_topic_as_admin(&self, partitions: u16) {
        let topic = NewTopic::new(
            &self.topic,
            i32::from(partitions),
            TopicReplication::Fixed(1),
        );
        let admin = self.admin();
        let answers = admin.create_topics([&topic], &AdminOptions::new());
        for answer in answers.await.unwrap() {
            answer.unwrap();
        }
    }
}
